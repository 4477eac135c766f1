// The real pay buttons. Apple's and Google's scripts are fetched here alone, and only when a merchant id is configured.
import { h } from "./dom.js";

const APPLE_SCRIPT = "https://applepay.cdn-apple.com/jsapi/1.latest/apple-pay-sdk.js";
const GOOGLE_SCRIPT = "https://pay.google.com/gp/p/js/pay.js";
const APPLE_VERSION = 14; // the first with automaticReloadPaymentRequest
const SESSION_GOOD_FOR_MS = 10 * 60 * 1000;

const loaded = (source, crossOrigin) =>
  new Promise((resolve) => {
    document.head.append(
      h("script", { src: source, async: true, crossOrigin, onload: () => resolve(true), onerror: () => resolve(false) }),
    );
  });

/**
 * Safari wants ApplePaySession made in the click itself, so our session is opened before: when the button is about
 * to be used, and again when the amount changes.
 */
const preparedSessions = (till) => {
  let prepared = null;
  const prepare = () => {
    const amount = till.quietAmount();
    if (!amount || (prepared?.amount === amount && Date.now() < prepared.until)) return;
    const mine = { amount, until: Date.now() + SESSION_GOOD_FOR_MS, session: null };
    prepared = mine;
    till.open(amount).then(
      (session) => (mine.session = session),
      () => (prepared = null),
    );
  };
  const take = (amount) => {
    const found = prepared?.amount === amount && Date.now() < prepared.until ? prepared.session : null;
    if (found) prepared = null;
    return found;
  };
  return { prepare, take };
};

/** Give the Apple Pay button, or null where this browser or this installation has none. */
export const applePayButton = async (facts, till) => {
  if (!facts) return null;
  await loaded(APPLE_SCRIPT, "anonymous");
  if (!window.ApplePaySession?.supportsVersion(APPLE_VERSION) || !ApplePaySession.canMakePayments()) return null;
  const { prepare, take } = preparedSessions(till);

  const pay = () => {
    const amount = till.amount();
    if (!amount) return;
    const session = take(amount);
    if (!session) return prepare(); // one more click, when the session is there
    const sheet = new ApplePaySession(APPLE_VERSION, session.payment_request);
    till.act(
      amount,
      () =>
        new Promise((resolve, reject) => {
          sheet.onvalidatemerchant = async (event) => {
            try {
              sheet.completeMerchantValidation(await till.merchantSession(session, event.validationURL));
            } catch (failure) {
              sheet.abort();
              reject(failure);
            }
          };
          sheet.onpaymentauthorized = async (event) => {
            try {
              await till.process(session, event.payment.token);
              sheet.completePayment({ status: ApplePaySession.STATUS_SUCCESS });
              resolve();
            } catch (failure) {
              sheet.completePayment({ status: ApplePaySession.STATUS_FAILURE });
              reject(failure);
            }
          };
          sheet.oncancel = resolve;
          sheet.begin();
        }),
    );
  };

  till.onAmount(prepare);
  return h("apple-pay-button", {
    buttonstyle: "black",
    type: "add-money",
    locale: document.documentElement.lang,
    onclick: pay,
    onpointerenter: prepare,
    onfocus: prepare,
    ontouchstart: prepare,
  });
};

/** Give the Google Pay button, or null where this browser or this installation has none. */
export const googlePayButton = async (facts, till) => {
  if (!facts) return null;
  await loaded(GOOGLE_SCRIPT);
  if (!window.google?.payments) return null;
  const client = new google.payments.api.PaymentsClient({ environment: facts.environment });
  const basis = {
    apiVersion: 2,
    apiVersionMinor: 0,
    allowedPaymentMethods: [
      { type: "CARD", parameters: { allowedAuthMethods: ["PAN_ONLY", "CRYPTOGRAM_3DS"], allowedCardNetworks: facts.networks } },
    ],
  };
  const ready = await client.isReadyToPay(basis).catch(() => null);
  if (!ready?.result) return null;

  const pay = () => {
    const amount = till.amount();
    if (!amount) return;
    till.act(amount, async () => {
      const session = await till.open(amount);
      let data;
      try {
        data = await client.loadPaymentData(session.payment_data_request);
      } catch (failure) {
        if (failure.statusCode === "CANCELED") return;
        throw failure;
      }
      await till.process(session, data);
    });
  };
  return client.createButton({ onClick: pay, buttonSizeMode: "fill", allowedPaymentMethods: basis.allowedPaymentMethods });
};
