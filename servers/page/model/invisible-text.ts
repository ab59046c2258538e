/**
 * Matches a character that is invisible or that reorders the text around it.
 *
 * These are control and format characters, characters that Unicode allows a font to ignore, line separators,
 * and the blank Braille pattern. Not among them are tabs, line breaks, and the emoji style after a
 * pictograph.
 */
const INVISIBLE =
  /(?!(?<=\p{Extended_Pictographic})\uFE0F)[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]|(?![\t\n\r])\p{Cc}/u

const EACH_INVISIBLE = new RegExp(INVISIBLE, 'gu')

/** A visible part of a text, or the code of an invisible character, e.g. `U+202E`. */
export type TextPiece = { readonly text: string } | { readonly code: string }

/** Cuts a text at its invisible characters. Returns the whole text as one piece if it has none. */
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

/** Replaces invisible characters with their codes, for texts that cannot contain elements: `a[U+202E]b`. */
export function withCodes(text: string): string {
  return cutAtInvisible(text)
    .map(piece => ('code' in piece ? `[${piece.code}]` : piece.text))
    .join('')
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
