/**
 * A character that is not seen, or that reorders the text around it: control and format characters,
 * everything that Unicode lets a font ignore, line separators, the blank Braille pattern. Tabs, line
 * breaks, and the emoji style behind a pictograph may stay.
 */
const INVISIBLE =
  /(?!(?<=\p{Extended_Pictographic})\uFE0F)[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]|(?![\t\n\r])\p{Cc}/u

const EACH_INVISIBLE = new RegExp(INVISIBLE, 'gu')

/** A piece of a text: shown as it is, or the code of a character that would not be seen, e.g. `U+202E`. */
export type TextPiece = { readonly text: string } | { readonly code: string }

/** Cuts a text at its invisible characters. Returns one piece if it has none. */
export function cutAtInvisible(text: string): TextPiece[] {
  if (!INVISIBLE.test(text)) return [{ text }]
  const pieces: TextPiece[] = []
  let from = 0
  for (const { 0: character, index } of text.matchAll(EACH_INVISIBLE)) {
    if (index > from) pieces.push({ text: text.slice(from, index) })
    pieces.push({ code: codeOf(character) })
    from = index + character.length
  }
  if (from < text.length) pieces.push({ text: text.slice(from) })
  return pieces
}

/** Writes the codes of invisible characters into a text, for where a mark cannot stand: `a[U+202E]b`. */
export function withCodes(text: string): string {
  return cutAtInvisible(text)
    .map(piece => ('code' in piece ? `[${piece.code}]` : piece.text))
    .join('')
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
