// Money to somebody else's wallet, or to a shop.
import { byId, fill, h } from "./dom.js";
import { minorUnits } from "./money.js";
import { Api } from "./api.js";

export const mountSend = (app) => {
  const form = byId("send-form");
  const to = byId("send-to");
  const other = byId("send-other");
  const missing = byId("send-missing");

  const contact = () => app.contacts.find((person) => person.email === to.value);
  const walletOf = (person) => person?.wallets[app.wallet?.currency];

  const render = () => {
    const person = contact();
    other.hidden = to.value !== "wallet";
    missing.hidden = !person || !app.wallet || Boolean(walletOf(person));
    if (!missing.hidden) {
      byId("send-missing-words").textContent = `${person.name} has no ${app.wallet.currency} wallet yet. `;
      byId("send-open").textContent = `Open one as ${person.name}`;
    }
    byId("send-submit").textContent = to.value === "shop" ? "Pay" : "Send";
    byId("send-submit").disabled = !missing.hidden;
  };

  to.addEventListener("change", render);

  byId("send-open").addEventListener("click", () => {
    const person = contact();
    app.act(`Open a ${app.wallet.currency} wallet as ${person.name}`, async () => {
      const theirs = new Api();
      theirs.during(`As ${person.name}: open a ${app.wallet.currency} wallet`);
      app.watchAlso(theirs);
      await theirs.logIn(person.email, app.password);
      const wallet = await theirs.post("/wallet", { currency: app.wallet.currency });
      person.wallets[wallet.currency] = wallet.id;
      render();
    });
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const { currency, id } = app.wallet;
    const amount = minorUnits(given.get("amount"), currency);
    if (!amount) return app.tell("bad", `Type an amount in ${currency}.`);
    const description = given.get("description").trim();
    const words = description ? { description } : {};
    if (to.value === "shop") {
      app.act(`Pay ${app.written(amount)} to a shop`, async () => {
        await app.api.post(`/wallet/${id}/pay`, { amount, currency, ...words });
        await app.refresh();
        app.tell("good", `${app.written(amount)} paid.`);
      });
      return;
    }
    const person = contact();
    const target = person ? walletOf(person) : given.get("wallet_id").trim();
    app.act(`Send ${app.written(amount)} to ${person?.name ?? "a wallet"}`, async () => {
      await app.api.post("/wallet/transfer", { from_wallet_id: id, to_wallet_id: target, amount, currency, ...words });
      await app.refresh();
      app.tell("good", `${app.written(amount)} sent.`);
    });
  });

  app.onWallet(() => {
    const kept = to.value;
    fill(
      to,
      app.contacts
        .filter((person) => person.email !== app.person.email)
        .map((person) => h("option", { value: person.email }, person.name)),
      h("option", { value: "wallet" }, "Another wallet, by its id"),
      h("option", { value: "shop" }, "A shop (pays the merchant)"),
    );
    if ([...to.options].some((option) => option.value === kept)) to.value = kept;
    render();
  });
};
