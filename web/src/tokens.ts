// How a token is shown: nothing in it is obeyed, and nothing in it is invisible.

const LONGEST = 48;
const NAMED: Record<string, string> = { "\n": "⏎", "\t": "⇥", "\r": "␍", "Ċ": "⏎", "ĉ": "⇥" };
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/u;
const SPACE = /\p{Zs}/u;
const JOINERS = "\u200c\u200d";

/** A token as it is drawn: spaces as ␣, what would turn or hide text as its code point. */
export function visible(token: string, longest = LONGEST): string {
  if (token === "") return "∅";
  const characters = Array.from(token.length > 4 * longest ? token.slice(0, 4 * longest) : token);
  let shown = "";
  characters.forEach((character, n) => {
    shown += visibleCharacter(character, n, characters.length);
  });
  if (/^\p{M}/u.test(shown)) shown = "◌" + shown;
  const cut = Array.from(shown);
  const whole = cut.length <= longest && token.length <= 4 * longest;
  return whole ? shown : cut.slice(0, longest - 1).join("") + "…";
}

function visibleCharacter(character: string, at: number, length: number): string {
  if (character in NAMED) return NAMED[character];
  if (character === "Ġ" || character === "▁") return length === 1 ? "␣" : at === 0 ? "·" : character;
  if (JOINERS.includes(character) && at > 0 && at < length - 1) return character;
  if (HIDDEN.test(character)) return `[U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`;
  if (SPACE.test(character)) return character === " " && at > 0 && at < length - 1 ? " " : "␣";
  return character;
}

const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;

/** A text as it is read, in which control characters and forced directions stand as code points. */
export function readable(text: string): string {
  return text.replace(OBEYED, (c) => (c === "\n" || c === "\t" ? c : `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`));
}

/** Whether a token is none of the text, such as `[CLS]` and `</s>`. */
export function isSpecial(token: string): boolean {
  return token.length > 2 && token.length < 40 && /^(\[[^\]]+\]|<[^>]+>)$/.test(token);
}

/** Tokens as the text that they were, as far as their marks tell. */
export function plainText(tokens: string[], longest = 240): string {
  let text = "";
  const marked = tokens.some((token) => /^[Ġ▁]/.test(token));
  for (const token of tokens) {
    if (isSpecial(token)) continue;
    if (token.startsWith("##")) text += visible(token.slice(2));
    else if (marked) text += /^[Ġ▁]/.test(token) ? ` ${visible(token.slice(1) || " ")}` : visible(token);
    else text += /^[.,;:!?)\]’”%]/.test(token) || /['‘(\[“-]$/.test(text) || token === "'" ? visible(token) : ` ${visible(token)}`;
    if (text.length > longest) return `${text.trim()} …`;
  }
  return text.trim();
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Which way a line of tokens runs: as its first letter does. */
export function direction(tokens: string[]): "ltr" | "rtl" {
  for (const token of tokens.slice(0, 200)) {
    if (isSpecial(token)) continue;
    const letter = /\p{L}/u.exec(token);
    if (letter) return RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
  }
  return "ltr";
}

/** Whether a token stands against the one before it, without a space. */
export function continues(token: string): boolean {
  return token.startsWith("##");
}
