// The fields of a counter-offer: the price of each position, and the days of delivery. All else stays as it was proposed.

import { Incomplete } from "./dialog.js";
import { el, field, line } from "./dom.js";
import { amountOf, money, plain, plus, say, times } from "./words.js";

/** `fields` to show, and `terms`, which reads them or throws Incomplete. */
export function proposal(before) {
  const { lineItems, deliveryDays } = before;
  const prices = lineItems.map(({ unitPrice }) => el("input", { inputmode: "decimal", autocomplete: "off", maxlength: 20, required: true, value: plain(unitPrice) }));
  const days = el("input", { inputmode: "numeric", autocomplete: "off", maxlength: 3, required: true, value: String(deliveryDays) });
  const amount = (index) => amountOf(prices[index].value, lineItems[index].unitPrice.currencyCode);
  const sum = el("p", { "aria-live": "polite" });
  const add = () => {
    const amounts = lineItems.map((item, index) => amount(index) && times(amount(index), item.quantity || 1));
    sum.textContent = amounts.every(Boolean) ? say("offer.sum", { amount: money(amounts.reduce(plus)) }) : "";
  };
  for (const each of prices) each.addEventListener("input", add);
  add();
  const labelled = lineItems.map(({ title, quantity, unitPrice }, index) => field(
    `${quantity > 1 ? `${quantity} × ` : ""}${line(title)} (${unitPrice.currencyCode})`, prices[index], quantity > 1 ? say("offer.priceOfOne") : ""));
  return {
    fields: [...labelled, sum, field(say("offer.deliveryDays"), days)],
    terms: () => {
      const wrong = prices.find((_, index) => !amount(index));
      if (wrong) {
        wrong.focus();
        throw new Incomplete(say("offer.amountWrong", { example: plain(lineItems[prices.indexOf(wrong)].unitPrice) }));
      }
      const number = Number(days.value);
      if (!Number.isInteger(number) || number < 1 || number > 365) throw new Incomplete(say("offer.daysWrong"));
      return { ...current(before), lineItems: lineItems.map((item, index) => ({ ...item, unitPrice: amount(index) })), deliveryDays: number };
    },
  };
}

/** Without a start that has passed meanwhile: what has none begins when it is accepted. */
function current(terms) {
  const { startTime, plan, ...rest } = terms;
  const isAhead = (time) => time && new Date(time) > new Date();
  const { startTime: planned, ...charges } = plan ?? {};
  return {
    ...rest,
    ...(isAhead(startTime) ? { startTime } : {}),
    ...(plan ? { plan: { ...charges, ...(isAhead(planned) ? { startTime: planned } : {}) } } : {}),
  };
}
