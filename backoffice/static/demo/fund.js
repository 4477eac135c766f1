// Adding money: the amount, the real pay buttons where there are any, and the simulated phones everywhere else.
import { byId, fill, h, icon, ICONS } from "./dom.js";
import { major, minorUnits, offered } from "./money.js";
import { Refused } from "./api.js";
import { showPhone } from "./phone.js";
import { applePayButton, googlePayButton } from "./real_buttons.js";

const PATHS = { apple_pay: "apple-pay", google_pay: "google-pay" };
const NAMES = { apple_pay: "Apple Pay", google_pay: "Google Pay" };

export const mountFund = (app) => {
  const input = byId("amount");
  const chips = byId("amounts");
  const save = byId("save-phone-card");

  app.amount = () => {
    const amount = minorUnits(input.value, app.wallet.currency);
    input.setAttribute("aria-invalid", String(amount === null));
    if (amount === null) app.tell("bad", `Type an amount in ${app.wallet.currency}.`);
    return amount;
  };

  const open = (scheme, amount) =>
    app.api.post(`/payment/${PATHS[scheme]}/init`, { wallet_id: app.wallet.id, amount, currency: app.wallet.currency });

  const process = async (scheme, session, paymentData) => {
    const paid = await app.api.post(`/payment/${PATHS[scheme]}/process`, {
      session_id: session.session_id,
      payment_data: paymentData,
      save: save.checked,
    });
    app.paid(paid);
    if (save.checked) await app.refreshCards();
    return paid;
  };

  /** What a real button needs of this page. */
  const till = (scheme) => ({
    open: (amount) => open(scheme, amount),
    amount: app.amount,
    quietAmount: () => app.wallet && minorUnits(input.value, app.wallet.currency),
    process: (session, paymentData) => process(scheme, session, paymentData),
    act: (amount, work) => app.act(`Add ${app.written(amount)} by ${NAMES[scheme]}`, work),
    merchantSession: (session, validationUrl) =>
      app.api.post(`/payment/session/${session.session_id}/merchant-session`, { validation_url: validationUrl }),
    onAmount: (listener) => input.addEventListener("change", listener),
  });

  const simulate = (scheme) => {
    const amount = app.amount();
    if (!amount) return;
    app.act(`Add ${app.written(amount)} by ${NAMES[scheme]} on a simulated phone`, async () => {
      const session = await open(scheme, amount);
      const isAsked = await showPhone(scheme, session.payment_request ?? session.payment_data_request, async (number) => {
        try {
          const { payment_data: paymentData } = await app.api.call("POST", `/sandbox/devices/${PATHS[scheme]}`, {
            session_id: session.session_id,
            card_number: number,
          });
          const paid = await process(scheme, session, paymentData);
          return paid.status === "pending" ? { kind: "wait", words: "The bank hasn’t answered yet" } : { kind: "good", words: "Done" };
        } catch (failure) {
          if (!(failure instanceof Refused)) throw failure;
          app.refused(failure);
          return { kind: "bad", words: failure.problem.title ?? "Not paid" };
        }
      });
      if (!isAsked) await app.api.delete(`/payment/session/${session.session_id}`);
    });
  };

  const simulated = (scheme) =>
    h(
      "button",
      { type: "button", className: "pay pay-simulated", id: `pay-${PATHS[scheme]}`, onclick: () => simulate(scheme) },
      icon(ICONS.phone),
      h("span", {}, NAMES[scheme], h("small", {}, "on a simulated phone")),
    );

  const mountButtons = async () => {
    const buttons = byId("pay-buttons");
    fill(buttons, simulated("apple_pay"), simulated("google_pay"));
    const real = await Promise.all([
      applePayButton(app.facts.apple_pay, till("apple_pay")),
      googlePayButton(app.facts.google_pay, till("google_pay")),
    ]);
    if (real[0]) byId("pay-apple-pay").replaceWith(real[0]);
    if (real[1]) byId("pay-google-pay").replaceWith(real[1]);
  };

  let currency = null;
  app.onWallet(() => {
    if (!app.wallet || currency === app.wallet.currency) return;
    currency = app.wallet.currency;
    byId("amount-currency").textContent = currency;
    const choices = offered(currency);
    input.value = major(choices[1], currency);
    const choose = (amount) => {
      input.value = major(amount, currency);
      input.dispatchEvent(new Event("change"));
    };
    const mark = () => {
      for (const chip of chips.children) chip.ariaPressed = String(Number(chip.value) === minorUnits(input.value, currency));
    };
    fill(
      chips,
      choices.map((amount) =>
        h("button", { type: "button", className: "chip", value: String(amount), onclick: () => choose(amount) }, app.written(amount).replace(/\.0+$/, "")),
      ),
    );
    input.oninput = mark;
    input.onchange = mark;
    mark();
  });
  mountButtons();
};
