// The simulated phone: what a person without Apple Pay or Google Pay at hand confirms a payment on.
import { byId, fill, h, icon, ICONS } from "./dom.js";
import { cardOptions } from "./cards.js";

const NAMES = { apple_pay: "Apple Pay", google_pay: "Google Pay" };
const CLOSES_AFTER_MS = 1400;

/** What the phone's sheet shows, read from the request that a real phone would get. */
const sheetOf = (scheme, request) => {
  if (scheme === "apple_pay") return { payee: request.total.label, price: request.total.amount, currency: request.currencyCode };
  const info = request.transactionInfo ?? request.automaticReloadTransactionInfo;
  return {
    payee: request.merchantInfo.merchantName,
    price: info.totalPrice ?? info.immediateTotalPrice,
    currency: info.currencyCode,
  };
};

/**
 * Show the phone until its owner has confirmed or closed it. `confirm(cardNumber)` makes the payment and gives
 * `{ isGood, words }`; resolves to whether it was asked.
 */
export const showPhone = (scheme, request, confirm) =>
  new Promise((resolve) => {
    const dialog = byId("phone");
    const { payee, price, currency } = sheetOf(scheme, request);
    const card = h("select", { id: "phone-card", ariaLabel: "Card on this phone" }, cardOptions());
    const state = h("div", { className: "phone-state", ariaLive: "polite" });
    const sheet = h("div", { className: "sheet" });
    let isAsked = false;

    const close = () => dialog.close();

    const answer = async () => {
      isAsked = true;
      sheet.classList.add("is-busy");
      fill(state, h("span", { className: "spinner" }), h("p", {}, "Signing and encrypting, then paying…"));
      const { kind, words } = await confirm(card.value);
      const path = { good: ICONS.check, wait: ICONS.wait, bad: ICONS.cross }[kind];
      sheet.classList.replace("is-busy", "is-done");
      fill(state, h("span", { className: `mark mark-${kind}` }, icon(path)), h("p", {}, words));
      setTimeout(close, CLOSES_AFTER_MS);
    };

    const button = h(
      "button",
      { type: "button", className: "confirm", id: "phone-confirm", onclick: answer },
      scheme === "apple_pay" ? "Confirm, as with the side button" : "Pay",
    );
    fill(
      sheet,
      h("div", { className: "sheet-head" }, h("strong", {}, NAMES[scheme]), h("button", { type: "button", className: "sheet-close", ariaLabel: "Cancel", onclick: close }, icon(ICONS.cross))),
      h("label", { className: "sheet-row" }, h("span", {}, "Card"), card),
      h("div", { className: "sheet-row" }, h("span", {}, "Pay"), h("span", {}, payee)),
      h("div", { className: "sheet-row sheet-total" }, h("span", {}, "Total"), h("span", {}, `${price} ${currency}`)),
      request.automaticReloadPaymentRequest &&
        h("p", { className: "sheet-note" }, request.automaticReloadPaymentRequest.billingAgreement),
      button,
      state,
    );
    fill(
      dialog,
      h("p", { className: "phone-label" }, "Simulated phone · no real money"),
      h("div", { className: `handset handset-${scheme}` }, h("div", { className: "screen" }, h("p", { className: "clock", ariaHidden: "true" }, "9:41"), sheet)),
    );
    dialog.addEventListener("close", () => resolve(isAsked), { once: true });
    dialog.showModal();
    button.focus();
  });
