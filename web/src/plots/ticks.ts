// Where an axis is marked, and how a number is written beside it.

/** Round numbers between two, about `count` of them; `whole` ones as for steps. */
export function ticks(low: number, high: number, count = 5, whole = false): number[] {
  if (!(high > low)) return [low];
  const rough = high / count - low / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const factors = whole ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10];
  const fits = unit * (factors.find((factor) => unit * factor >= rough * 0.999) ?? 10);
  const step = whole ? Math.max(1, fits) : fits;
  return between(Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)).map((n) => tidy(n * step));
}

/** Round numbers between two positive ones, for a logarithmic axis. */
export function logTicks(low: number, high: number): number[] {
  const decades = between(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)));
  let inside: number[] = [];
  for (const digits of [[1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
    const every = digits.length === 1 ? Math.max(1, Math.floor(decades.length / 6)) : 1;
    const marks = decades.filter((_, n) => n % every === 0).flatMap((decade) => digits.map((digit) => tidy(digit * 10 ** decade)));
    inside = marks.filter((mark) => low * 0.999 <= mark && mark <= high * 1.001);
    if (inside.length >= 3) break;
  }
  return inside;
}

function between(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** A number with about four digits, such as a reader wants beside a curve. */
export function short(value: number, digits = 4): string {
  const size = Math.abs(value);
  if (value !== 0 && !(size >= 1e-3 && size < 1e12)) {
    const [shown, exponent] = value.toExponential(digits - 2).split("e");
    return `${minus(String(Number(shown)))}e${minus(String(Number(exponent)))}`;
  }
  if (size >= 1e9) return `${minus(general(value / 1e9, digits))}G`;
  if (size >= 1e6) return `${minus(general(value / 1e6, digits))}M`;
  if (size < 1e3) return minus(general(value, digits));
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return minus(grouped(value, places));
}

function general(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

function minus(text: string): string {
  return text.replace("-", "−");
}

export function grouped(value: number, places = 0): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** A share of all as it is read; what is less than all is not rounded to all. */
export function shareOf(share: number, digits = 1): string {
  const shown = 100 * share;
  return `${(share >= 1 ? shown : Math.min(shown, 100 - 10 ** -digits)).toFixed(digits)} %`;
}

/** How the marks of an axis are written, with as many digits as tell them apart. */
export function namesOf(marks: number[], shares = false): string[] {
  let names: string[] = [];
  for (let digits = 4; digits < 12; digits++) {
    names = marks.map((mark) => {
      if (!shares) return short(mark, digits);
      // So small a share is a number like any other.
      return digits > 6 ? `${short(100 * mark, digits - 3)} %` : shareOf(mark, digits - 4);
    });
    if (new Set(names).size === names.length) break;
  }
  return names;
}
