// Saved cards of the wallet: pay with one, make one the default, add a new one. The sandbox's own cards are offered.
import { byId, fill, h, icon, ICONS } from "./dom.js";

/** The sandbox's cards and what each one does. */
export const SANDBOX_CARDS = [
  ["4242424242424242", "Visa that pays"],
  ["4000000000000002", "Visa that is declined"],
  ["4000000000009995", "Visa without enough money"],
  ["4000000000000341", "Visa that saves, then fails"],
  ["4000000000000119", "Visa whose bank doesn’t answer"],
  ["4000000000000259", "Visa that is disputed later"],
  ["4000000000005126", "Visa whose refunds fail"],
];

export const cardOptions = () =>
  SANDBOX_CARDS.map(([number, effect]) => h("option", { value: number }, `•••• ${number.slice(-4)} – ${effect}`));

const BRANDS = { visa: "Visa", mastercard: "Mastercard", amex: "American Express", discover: "Discover" };
const KINDS = { card: "Card", apple_pay: "Apple Pay", google_pay: "Google Pay" };

export const cardName = (card) => `${BRANDS[card.brand] ?? card.brand} •••• ${card.last4}`;

export const mountCards = (app) => {
  const list = byId("cards-list");
  const form = byId("card-form");
  const sample = byId("card-sample");

  fill(sample, cardOptions());
  sample.addEventListener("change", () => (byId("card-number").value = sample.value));

  const refresh = async () => {
    if (!app.wallet) return;
    app.cards = (await app.api.get(`/wallet/${app.wallet.id}/payment-methods`)).results;
    render();
  };

  const choice = (card) =>
    h(
      "button",
      {
        type: "button",
        className: "quiet",
        onclick: () =>
          app.act(`Make ${cardName(card)} the default`, async () => {
            await app.api.post(`/wallet/${app.wallet.id}/payment-methods/${card.token_id}/default`, {});
            await refresh();
          }),
      },
      "Make default",
    );

  const removal = (card) =>
    h(
      "button",
      {
        type: "button",
        className: "quiet",
        ariaLabel: `Remove ${cardName(card)}`,
        onclick: () =>
          app.act(`Remove ${cardName(card)}`, async () => {
            await app.api.delete(`/wallet/${app.wallet.id}/payment-methods/${card.token_id}`);
            await refresh();
          }),
      },
      "Remove",
    );

  const entry = (card) =>
    h(
      "li",
      { className: "saved-card" },
      h(
        "label",
        {},
        h("input", { type: "radio", name: "saved-card", value: card.token_id, checked: card.is_default }),
        h("span", { className: "plastic", data: { brand: card.brand } }, icon(card.type === "card" ? ICONS.card : ICONS.phone)),
        h(
          "span",
          { className: "saved-words" },
          h("span", {}, cardName(card)),
          h("span", { className: "line-more" }, `${KINDS[card.type]} · ${String(card.exp_month).padStart(2, "0")}/${card.exp_year % 100}`),
        ),
      ),
      h("span", { className: "saved-actions" }, card.is_default ? h("span", { className: "state state-active" }, "default") : choice(card), removal(card)),
    );

  const render = () => {
    fill(list, app.cards.map(entry));
    byId("pay-by-card").disabled = app.cards.length === 0;
    byId("cards-empty").hidden = app.cards.length > 0;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const [month, year] = given.get("expiry").split("/").map((part) => Number(part.trim()));
    app.act("Save a card", async () => {
      const token = await app.api.post("/tokens/card", {
        number: given.get("number").replace(/\s/g, ""),
        exp_month: month,
        exp_year: year < 100 ? 2000 + year : year,
        cvc: given.get("cvc"),
      });
      await app.api.post(`/wallet/${app.wallet.id}/payment-methods`, { token_id: token.id });
      await refresh();
      byId("add-card").open = false;
      app.tell("good", `${cardName(token)} is saved.`);
    });
  });

  byId("pay-by-card").addEventListener("click", () => {
    const chosen = list.querySelector("input:checked")?.value ?? app.cards[0]?.token_id;
    const card = app.cards.find((saved) => saved.token_id === chosen);
    const amount = app.amount();
    if (!card || !amount) return;
    app.act(`Add ${app.written(amount)} from ${cardName(card)}`, async () =>
      app.paid(await app.api.post(`/wallet/${app.wallet.id}/fund`, { amount, currency: app.wallet.currency, token_id: card.token_id })),
    );
  });

  let wallet = null;
  app.onWallet(async () => {
    if (wallet === app.wallet?.id) return;
    wallet = app.wallet?.id;
    app.cards = [];
    render();
    await refresh();
  });
  app.refreshCards = refresh;
};
