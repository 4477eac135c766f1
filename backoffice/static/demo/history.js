// The wallet's lines, newest first, as the book has them.
import { byId, fill, h, icon, ICONS } from "./dom.js";
import { written } from "./money.js";

const WORDS = {
  funding: ["Added by card or phone", ICONS.in],
  top_up: ["Automatic top-up", ICONS.in],
  payment: ["Paid", ICONS.shop],
  transfer_in: ["Received", ICONS.in],
  transfer_out: ["Sent", ICONS.out],
  refund: ["Refund", ICONS.back],
  adjustment: ["Adjustment", ICONS.star],
  fee: ["Fee", ICONS.out],
  reversal: ["Reversal", ICONS.back],
  dispute: ["Disputed", ICONS.cross],
};

const when = (text) =>
  new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));

const line = (transaction) => {
  const [title, path] = WORDS[transaction.type] ?? [transaction.type, ICONS.star];
  const isIn = transaction.amount > 0;
  return h(
    "li",
    { className: `line line-${transaction.status}` },
    h("span", { className: `line-icon ${isIn ? "line-in" : "line-out"}` }, icon(path)),
    h(
      "div",
      { className: "line-words" },
      h("p", {}, transaction.description || title),
      h(
        "p",
        { className: "line-more" },
        transaction.description && `${title} · `,
        h("time", { dateTime: transaction.created_at }, when(transaction.created_at)),
      ),
    ),
    transaction.status !== "completed" && h("span", { className: `state state-${transaction.status}` }, transaction.status),
    h(
      "div",
      { className: "line-amounts" },
      h("p", { className: isIn ? "amount-in" : "" }, (isIn ? "+" : "") + written(transaction.amount, transaction.currency)),
      transaction.balance_after !== null && h("p", { className: "line-more" }, written(transaction.balance_after, transaction.currency)),
    ),
  );
};

export const mountHistory = (app) => {
  const list = byId("history-list");
  const more = byId("history-more");
  let following = null;

  const add = (page) => {
    following = page.next;
    more.hidden = !following;
    list.append(...page.results.map(line));
  };

  more.addEventListener("click", () =>
    app.act("More of the history", async () => {
      const { pathname, search } = new URL(following);
      add(await app.api.call("GET", pathname + search));
    }),
  );

  app.onWallet(async () => {
    if (!app.wallet) return;
    const { id } = app.wallet;
    const page = await app.api.get(`/wallet/${id}/transactions?limit=8`);
    if (app.wallet?.id !== id) return;
    fill(list);
    add(page);
    byId("history-empty").hidden = page.results.length > 0;
  });
};
