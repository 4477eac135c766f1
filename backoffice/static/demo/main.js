// The demo client: logs a customer in and keeps the panels of the page together. Every panel is a module with one
// `mount…(app)`; a new one is a section in the template and a line in PANELS.
import { Api, Refused } from "./api.js";
import { mountCalls, watchCalls } from "./calls.js";
import { mountCards } from "./cards.js";
import { byId, fill, h } from "./dom.js";
import { mountFund } from "./fund.js";
import { mountHistory } from "./history.js";
import { useExponents, written } from "./money.js";
import { mountPurse } from "./purse.js";
import { mountRefunds } from "./refunds.js";
import { mountSend } from "./send.js";
import { mountTopUps } from "./top_ups.js";

const PANELS = [mountPurse, mountFund, mountCards, mountSend, mountTopUps, mountRefunds, mountHistory];
const TOLD_FOR_MS = 7000;
const LOOKS_AGAIN_AFTER_MS = [4000, 8000, 12000, 20000, 30000];

const facts = JSON.parse(byId("content").dataset.facts);
useExponents(facts.exponents);
const api = new Api();
const walletListeners = [];

const app = {
  api,
  facts,
  contacts: facts.people,
  person: null,
  password: "",
  wallets: [],
  wallet: null,
  cards: [],

  /** Call the listener whenever another wallet is shown, or the same one with another balance. */
  onWallet: (listener) => walletListeners.push(listener),

  watchAlso: (other) => watchCalls(other),

  written: (amount) => written(amount, app.wallet.currency),

  show(wallet, wallets = app.wallets) {
    app.wallet = wallet;
    app.wallets = wallets.map((known) => (known.id === wallet.id ? wallet : known));
    return Promise.all(walletListeners.map((listener) => listener()));
  },

  async refresh() {
    await app.show(await api.get(`/wallet/${app.wallet.id}`));
  },

  /** Do what a click asks for; its API calls stand under its name, and a refusal is told. */
  async act(name, work) {
    api.during(name);
    document.body.classList.add("is-acting");
    try {
      return await work();
    } catch (failure) {
      if (failure instanceof Refused) app.refused(failure);
      else {
        app.tell("bad", "The server could not be reached. Try again.");
        throw failure;
      }
    } finally {
      document.body.classList.remove("is-acting");
    }
    return undefined;
  },

  /** Show what a charge has come to; the answer knows the new balance. */
  paid(payment) {
    app.show({ ...app.wallet, balance: payment.new_balance, available: payment.new_balance - app.wallet.held });
    if (payment.status === "succeeded") app.tell("good", `${app.written(payment.amount)} added.`);
    else if (payment.status === "requires_action") app.tell("wait", "The bank wants to ask you something first.");
    else {
      app.tell("wait", "The bank hasn’t answered. The money moves once it is known whether it paid.");
      lookAgain(payment.payment_id, 0);
    }
  },

  refused({ status, problem }) {
    const words = problem.decline_code ? `${problem.title} (${problem.decline_code})` : (problem.detail ?? problem.title);
    app.tell("bad", words ?? `Status ${status}`, problem.code);
  },

  tell(kind, words, code) {
    const toast = h(
      "div",
      { className: `toast toast-${kind}`, role: kind === "bad" ? "alert" : "status" },
      h("p", {}, words),
      code && h("a", { href: `/docs/errors/${code}` }, code),
    );
    fill(byId("toasts"), toast);
    setTimeout(() => toast.remove(), TOLD_FOR_MS);
  },
};

/** Ask what became of a pending payment, less and less often. */
const lookAgain = (paymentId, times) => {
  if (times >= LOOKS_AGAIN_AFTER_MS.length) return;
  setTimeout(() => {
    app.act("Look what became of the payment", async () => {
      const payment = await api.get(`/payment/${paymentId}`);
      if (payment.status === "pending") return lookAgain(paymentId, times + 1);
      if (payment.status === "succeeded") app.tell("good", `${written(payment.amount, payment.currency)} added.`);
      else app.tell("bad", `The payment ended as ${payment.status}.`);
      return app.refresh();
    });
  }, LOOKS_AGAIN_AFTER_MS[times]);
};

const enter = async (email, password) => {
  await api.logIn(email, password);
  app.person = await api.get("/auth/me");
  app.password = password;
  const { results } = await api.get("/wallet");
  const open = results.filter((wallet) => wallet.status !== "closed");
  byId("login").hidden = true;
  byId("account").hidden = false;
  byId("account-name").textContent = app.person.name || app.person.email;
  byId("content").classList.toggle("is-empty", open.length === 0);
  app.wallets = open;
  app.wallet = null;
  byId("panels").hidden = false;
  if (open.length) await app.show(open.find((wallet) => wallet.currency === "USD") ?? open[0], open);
  else await Promise.all(walletListeners.map((listener) => listener()));
};

const mountLogin = () => {
  const form = byId("login-form");
  for (const person of facts.people) {
    byId("login-people").append(
      h(
        "button",
        {
          type: "button",
          className: "person",
          onclick: () => {
            byId("login-email").value = person.email;
            byId(byId("login-password").value ? "login-submit" : "login-password").focus();
          },
        },
        h("span", { className: "face", ariaHidden: "true" }, person.name[0]),
        person.name,
      ),
    );
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { email, password } = Object.fromEntries(new FormData(form));
    app.act(`Log in as ${email}`, () => enter(email, password));
  });
  byId("log-out").addEventListener("click", () =>
    app.act("Log out", async () => {
      await api.logOut();
      app.wallet = app.person = null;
      app.wallets = [];
      byId("panels").hidden = byId("account").hidden = true;
      byId("login").hidden = false;
      byId("login-email").focus();
    }),
  );
};

mountCalls();
watchCalls(api);
mountLogin();
for (const mount of PANELS) mount(app);
walletListeners.unshift(() => byId("content").classList.toggle("is-empty", !app.wallet));
byId("login-submit").disabled = false;
