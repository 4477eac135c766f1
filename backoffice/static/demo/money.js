// Amounts are integers of minor units, as in the API; only here do they meet a decimal point.

let exponents = {};

export const useExponents = (given) => (exponents = given);

const digits = (currency) => exponents[currency] ?? 2;

/** Read what a person typed, in major units, as minor units; null where it isn't exact. */
export const minorUnits = (typed, currency) => {
  const match = /^([0-9]{1,12})(?:[.,]([0-9]*))?$/.exec(typed.trim());
  if (!match) return null;
  const fraction = match[2] ?? "";
  if (fraction.length > digits(currency)) return null;
  const amount = Number(match[1] + fraction.padEnd(digits(currency), "0"));
  return Number.isSafeInteger(amount) && amount > 0 ? amount : null;
};

/** Write minor units as a plain decimal text: "25.00", "-2500". */
export const major = (amount, currency) => {
  const places = digits(currency);
  const text = String(Math.abs(amount)).padStart(places + 1, "0");
  const whole = text.slice(0, text.length - places);
  const sign = amount < 0 ? "-" : "";
  return places ? `${sign}${whole}.${text.slice(-places)}` : `${sign}${whole}`;
};

/** Split an amount for showing: sign, symbol, grouped whole part, fraction. */
export const parts = (amount, currency) => {
  const [whole, fraction = ""] = major(Math.abs(amount), currency).split(".");
  const symbol = new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "narrowSymbol" })
    .formatToParts(0)
    .find((part) => part.type === "currency").value;
  return {
    sign: amount < 0 ? "−" : "",
    symbol: symbol.length > 1 ? `${symbol} ` : symbol,
    whole: whole.replace(/\B(?=(\d{3})+$)/g, ","),
    fraction: fraction && `.${fraction}`,
  };
};

export const written = (amount, currency) => {
  const { sign, symbol, whole, fraction } = parts(amount, currency);
  return `${sign}${symbol}${whole}${fraction}`;
};

/** The amounts that a person is offered in a currency: round ones, of about the same worth. */
export const offered = (currency) => {
  const scale = 10 ** digits(currency) * (digits(currency) === 0 ? 100 : 1);
  return [10, 25, 50, 100].map((units) => units * scale);
};
