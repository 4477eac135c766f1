// The wallet tops itself up: its rule, what is coming, and, since a sandbox's time can be moved, a month in a click.
import { byId, fill, h } from "./dom.js";
import { major, minorUnits, offered, written } from "./money.js";
import { Refused } from "./api.js";
import { cardName } from "./cards.js";

const WEEKDAYS = { mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday", sat: "Saturday", sun: "Sunday" };
const SCHEDULES = [
  ["", "Only when it runs low"],
  ["month:1", "And on the 1st of each month"],
  ["month:15", "And on the 15th of each month"],
  ["month:31", "And on the last of each month"],
  ...Object.entries(WEEKDAYS).map(([day, name]) => [`week:${day}`, `And each ${name}`]),
];
const LOOKS_AFTER_MS = [800, 1500, 3000, 6000];
const MONTH_S = 31 * 24 * 3600;

const scheduleOf = (choice) => {
  const [every, day] = choice.split(":");
  if (!every) return null;
  return every === "month" ? { every, day: Number(day) } : { every, weekday: day };
};

const choiceOf = (schedule) => (schedule ? `${schedule.every}:${schedule.day ?? schedule.weekday}` : "");

const dayOf = (moment) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(moment));

const words = (reason) => reason.replaceAll("_", " ");

export const mountTopUps = (app) => {
  const root = byId("top-up");
  const form = byId("top-up-form");
  const path = () => `/wallet/${app.wallet.id}/auto-top-up`;
  let rule = null;
  let wallet = null;
  let looking = 0;

  const standing = () => {
    if (!rule) return "Off";
    if (!rule.enabled) return rule.disabled_reason ? `Off: ${words(rule.disabled_reason)}` : "Off";
    return rule.paused ? "Paused" : "On";
  };

  const coming = (preview) =>
    preview.results.map((one) =>
      h(
        "li",
        { className: "coming" },
        h("span", {}, one.trigger === "schedule" ? dayOf(one.at) : "As soon as may be"),
        h("span", { className: one.fires ? "amount-in" : "line-more" }, one.fires ? `+${written(one.amount, one.currency)}` : words(one.reason)),
      ),
    );

  const render = (preview) => {
    const { currency } = app.wallet;
    const cards = app.cards.map((card) => h("option", { value: card.token_id }, cardName(card)));
    fill(byId("top-up-card"), cards.length ? cards : h("option", { value: "" }, "Save a card first"));
    byId("top-up-save").disabled = cards.length === 0;
    const [low, usual] = offered(currency);
    form.threshold.value = major(rule?.threshold ?? low, currency);
    form.amount.value = major(rule?.amount ?? usual, currency);
    form.schedule.value = choiceOf(rule?.schedule);
    if (rule && app.cards.some((card) => card.token_id === rule.token_id)) form.token_id.value = rule.token_id;
    byId("top-up-standing").textContent = standing();
    byId("top-up-actions").hidden = !rule;
    byId("top-up-pause").textContent = rule?.paused ? "Resume" : "Pause";
    byId("top-up-consent").textContent = rule?.consent_text ?? "";
    const list = preview ? coming(preview) : [];
    byId("top-up-coming-title").hidden = list.length === 0;
    fill(byId("top-up-coming"), list);
  };

  /** Read the rule and what it would charge for; that there is none is an answer too. */
  const refresh = async () => {
    try {
      rule = await app.api.get(path());
    } catch (failure) {
      if (!(failure instanceof Refused) || failure.status !== 404) throw failure;
      rule = null;
    }
    render(rule && (await app.api.get(`${path()}/preview`)));
  };

  /** A rule is charged for by a worker, a moment after it was written or money was spent: look whether it has been. */
  const lookSoon = () => {
    clearTimeout(looking);
    const { id, balance } = app.wallet;
    const look = (times) => {
      if (times >= LOOKS_AFTER_MS.length) return;
      looking = setTimeout(() => {
        if (app.wallet?.id !== id || app.wallet.balance !== balance) return;
        app.act("Look whether the wallet has topped itself up", async () => {
          const found = await app.api.get(`/wallet/${id}`);
          if (found.balance <= balance) return look(times + 1);
          await app.show(found);
          app.tell("good", `The wallet has topped itself up by ${written(found.balance - balance, found.currency)}.`);
          return refresh();
        });
      }, LOOKS_AFTER_MS[times]);
    };
    look(0);
  };

  const isLow = () => rule?.enabled && !rule.paused && rule.threshold !== null && app.wallet.available < rule.threshold;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { currency } = app.wallet;
    const amount = minorUnits(form.amount.value, currency);
    const threshold = minorUnits(form.threshold.value, currency);
    if (!amount || !threshold) return app.tell("bad", `Type amounts in ${currency}.`);
    app.act("Let the wallet top itself up", async () => {
      rule = await app.api.put(path(), { enabled: true, threshold, amount, token_id: form.token_id.value, schedule: scheduleOf(form.schedule.value) });
      await refresh();
      app.tell("good", "The wallet tops itself up from now on.");
      if (isLow()) lookSoon();
    });
  });

  byId("top-up-pause").addEventListener("click", () =>
    app.act(rule.paused ? "Resume topping up" : "Pause topping up", async () => {
      await app.api.post(`${path()}/${rule.paused ? "resume" : "pause"}`, {});
      await refresh();
      if (isLow()) lookSoon();
    }),
  );

  byId("top-up-remove").addEventListener("click", () =>
    app.act("Stop topping up", async () => {
      await app.api.delete(path());
      rule = null;
      render(null);
    }),
  );

  byId("top-up-month").addEventListener("click", () =>
    app.act("Let a month pass for this wallet", async () => {
      const { ran } = await app.api.call("POST", "/sandbox/clock", { wallet_id: app.wallet.id, advance_s: MONTH_S });
      const charged = ran.filter((one) => one.action === "top_up.succeeded").length;
      await app.refresh();
      await refresh();
      app.tell("good", charged ? `A month has passed: topped up ${charged === 1 ? "once" : `${charged} times`}.` : "A month has passed.");
    }),
  );

  fill(
    byId("top-up-schedule"),
    SCHEDULES.map(([value, label]) => h("option", { value }, label)),
  );

  // The rule is asked for when somebody wants to see it: most wallets have none.
  root.addEventListener("toggle", () => {
    if (root.open) app.act("Show how the wallet tops itself up", refresh);
  });

  app.onWallet(() => {
    if (wallet !== app.wallet?.id) {
      wallet = app.wallet?.id;
      clearTimeout(looking);
      rule = null;
      root.open = false;
    } else if (isLow()) lookSoon();
  });
};
