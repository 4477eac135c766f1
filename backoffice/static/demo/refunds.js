// Money back: what may be asked for, what became of it, and taking a request back while nobody has decided.
import { byId, fill, h, icon, ICONS } from "./dom.js";
import { major, minorUnits, written } from "./money.js";

const REFUNDABLE = { funding: "Added", top_up: "Automatic top-up", payment: "Paid" };
const UNDONE = new Set(["rejected", "cancelled", "failed"]);
const MEANS = {
  pending: "Waits for staff to decide.",
  approved: "Approved: it is on its way.",
  processing: "On its way.",
  completed: "The money is back.",
  rejected: "Staff said no.",
  cancelled: "You took it back.",
  failed: "The bank sent it back; the money is in the wallet.",
};
const LOOKS_AGAIN_AFTER_MS = 10000;
const ENDS = new Set(["completed", ...UNDONE]);

const when = (text) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(text));

export const mountRefunds = (app) => {
  const panel = byId("refunds");
  const form = byId("refund-form");
  const choice = byId("refund-of");
  let remaining = {};
  let looking = 0;

  const offer = (lines, refunds) => {
    remaining = {};
    const kept = choice.value;
    const offered = lines.filter((line) => {
      const taken = refunds
        .filter((refund) => refund.transaction_id === line.id && !UNDONE.has(refund.status))
        .reduce((sum, refund) => sum + refund.amount, 0);
      remaining[line.id] = Math.abs(line.amount) - taken;
      return line.type in REFUNDABLE && remaining[line.id] > 0;
    });
    fill(
      choice,
      offered.map((line) =>
        h(
          "option",
          { value: line.id },
          `${line.description || REFUNDABLE[line.type]}, ${when(line.completed_at)}: ${written(remaining[line.id], line.currency)}`,
        ),
      ),
    );
    if (kept in remaining && remaining[kept] > 0) choice.value = kept;
    form.hidden = offered.length === 0;
    byId("refund-none").hidden = offered.length > 0;
    suggest();
  };

  const suggest = () => {
    if (app.wallet && choice.value) form.elements.amount.value = major(remaining[choice.value], app.wallet.currency);
  };

  const takeBack = (refund) =>
    app.act(`Take back the refund of ${written(refund.amount, refund.currency)}`, async () => {
      await app.api.post(`/refunds/${refund.id}/cancel`, {});
      await app.refresh();
    });

  const line = (refund) =>
    h(
      "li",
      { className: "line" },
      h("span", { className: "line-icon" }, icon(ICONS.back)),
      h(
        "div",
        { className: "line-words" },
        h("p", {}, refund.notes || "Refund"),
        h("p", { className: "line-more" }, MEANS[refund.status]),
        refund.status === "pending" &&
          refund.requested_by === app.person.id &&
          h("button", { type: "button", className: "quiet", onclick: () => takeBack(refund) }, "Take it back"),
      ),
      h("span", { className: `state state-${refund.status}` }, refund.status),
      h("div", { className: "line-amounts" }, h("p", {}, written(refund.amount, refund.currency))),
    );

  /** While something is under way, look again: what staff and the bank do shows here by itself. */
  const lookAgain = (refunds) => {
    clearTimeout(looking);
    if (refunds.some((refund) => !ENDS.has(refund.status))) {
      looking = setTimeout(
        () => panel.open && app.wallet && app.act("Look what became of the refunds", () => app.refresh()),
        LOOKS_AGAIN_AFTER_MS,
      );
    }
  };

  const load = async () => {
    const { id } = app.wallet;
    const lines = await app.api.get(`/wallet/${id}/transactions?status=completed&limit=50`);
    const refunds = await app.api.get(`/refunds?wallet_id=${id}&limit=100`);
    if (app.wallet?.id !== id) return;
    offer(lines.results, refunds.results);
    fill(byId("refund-list"), refunds.results.slice(0, 10).map(line));
    lookAgain(refunds.results);
  };

  choice.addEventListener("change", suggest);
  panel.addEventListener("toggle", () => panel.open && app.wallet && app.act("Look at the refunds", load));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const amount = minorUnits(given.get("amount"), app.wallet.currency);
    if (!amount) return app.tell("bad", `Type an amount in ${app.wallet.currency}.`);
    const notes = given.get("notes").trim();
    app.act(`Ask for ${app.written(amount)} back`, async () => {
      await app.api.post("/refunds", {
        transaction_id: choice.value,
        amount,
        reason: given.get("reason"),
        ...(notes ? { notes } : {}),
      });
      form.elements.notes.value = "";
      await app.refresh();
      app.tell("wait", "Asked for. Staff decide on it in the back office.");
    });
  });

  app.onWallet(() => panel.open && app.wallet && load());
};
