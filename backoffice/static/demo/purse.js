// The wallet as a card: whose it is, what is in it, and the way from one amount to the next.
import { byId, fill, h } from "./dom.js";
import { parts } from "./money.js";

const CURRENCIES = ["USD", "EUR", "GBP", "JPY", "KWD"];
const COUNTING_MS = 900;

export const mountPurse = (app) => {
  const root = byId("wallet");
  const shownBalance = h("p", { className: "balance", id: "balance", ariaLive: "polite" });
  const change = h("p", { className: "change", ariaHidden: "true" });
  let shown = 0;
  let counting = 0;

  const draw = (amount) => {
    const { sign, symbol, whole, fraction } = parts(Math.round(amount), app.wallet.currency);
    fill(shownBalance, h("span", { className: "symbol" }, sign + symbol), whole, h("span", { className: "fraction" }, fraction));
  };

  /** Count from what is shown to what is there now. */
  const countTo = (target) => {
    cancelAnimationFrame(counting);
    const from = shown;
    shown = target;
    const isStill = from === target || matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (from !== target) {
      const { symbol, whole, fraction } = parts(target - from, app.wallet.currency);
      change.textContent = `${target > from ? "+" : "−"}${symbol}${whole}${fraction}`;
      change.className = `change ${target > from ? "change-in" : "change-out"}`;
      void change.offsetWidth; // starts the animation anew
      change.classList.add("is-shown");
    }
    if (isStill) return draw(target);
    const began = performance.now();
    const step = (at) => {
      const part = Math.min((at - began) / COUNTING_MS, 1);
      draw(from + (target - from) * (1 - (1 - part) ** 4));
      if (part < 1) counting = requestAnimationFrame(step);
    };
    counting = requestAnimationFrame(step);
  };

  const open = async (currency) => {
    const wallet = await app.act(`Open a ${currency} wallet`, () => app.api.post("/wallet", { currency }));
    if (wallet) app.show(wallet, [...app.wallets, wallet]);
  };

  const missing = () => CURRENCIES.filter((currency) => !app.wallets.some((wallet) => wallet.currency === currency));

  const switcher = () =>
    h(
      "div",
      { className: "currencies", role: "group", ariaLabel: "Wallets" },
      app.wallets.map((wallet) =>
        h(
          "button",
          {
            type: "button",
            className: "currency",
            ariaPressed: String(wallet.id === app.wallet?.id),
            onclick: () => app.act(`Show the ${wallet.currency} wallet`, async () => app.show(await app.api.get(`/wallet/${wallet.id}`))),
          },
          wallet.currency,
        ),
      ),
      missing().length > 0 &&
        h(
          "select",
          {
            className: "currency",
            ariaLabel: "Open another wallet",
            onchange: (event) => open(event.target.value),
          },
          h("option", { value: "", selected: true }, "+ New"),
          missing().map((currency) => h("option", { value: currency }, currency)),
        ),
    );

  const render = () => {
    const name = app.person.name || app.person.email;
    if (!app.wallet) {
      fill(
        root,
        h("p", { className: "owner" }, `${name} has no wallet yet`),
        h("p", { className: "hint" }, "A customer has one wallet in each currency. It opens empty."),
        h(
          "div",
          { className: "currencies" },
          CURRENCIES.map((currency) =>
            h("button", { type: "button", className: "currency", id: `open-${currency}`, onclick: () => open(currency) }, `Open in ${currency}`),
          ),
        ),
      );
      return;
    }
    fill(
      root,
      h("div", { className: "purse-head" }, h("p", { className: "owner" }, `${name}’s wallet`), switcher()),
      h("div", { className: "balance-line" }, shownBalance, change),
      h(
        "div",
        { className: "purse-foot" },
        h("p", {}, h("span", { className: "id" }, app.wallet.id)),
        app.wallet.held > 0 && h("p", {}, `${parts(app.wallet.held, app.wallet.currency).whole} held`),
        h("p", { className: `purse-status purse-${app.wallet.status}` }, app.wallet.status),
      ),
    );
    draw(shown);
  };

  let wallet = null;
  app.onWallet(() => {
    const isSame = wallet === app.wallet?.id;
    wallet = app.wallet?.id;
    if (!isSame) {
      shown = app.wallet?.balance ?? 0;
      change.className = "change";
    }
    render();
    if (app.wallet && isSame) countTo(app.wallet.balance);
  });
};
