import { type ComponentChildren, Fragment, h, options, type VNode } from 'preact'

/** Attributes that users read. `value` is not among them, because users edit the value of an input field. */
const READ_ATTRIBUTES = ['title', 'aria-label']

/** Names of HTML and SVG elements that can only contain text, and no other elements. */
const TEXT_ONLY = ['title', 'text', 'tspan', 'option']

/**
 * Makes all parts of the page show the codes of invisible characters. Call this before the first render.
 *
 * Names, messages and arguments come from agents, which can deceive the user. For example, U+202E in a name
 * can make a tool look like another tool.
 */
export function showInvisible(): void {
  const before = options.vnode
  options.vnode = vnode => {
    if (typeof vnode.type === 'string' || vnode.type === Fragment) revealIn(vnode)
    before?.(vnode)
  }
}

function revealIn({ type, props }: VNode): void {
  const marks = typeof type !== 'string' || !TEXT_ONLY.includes(type)
  if (props.children !== undefined) props.children = revealed(props.children, marks)
  for (const name of READ_ATTRIBUTES) {
    const value: unknown = Reflect.get(props, name)
    if (typeof value === 'string') Reflect.set(props, name, withCodes(value))
  }
}

/**
 * Returns children in which codes replace the invisible characters. An array keeps its length, because Preact
 * identifies children by their index.
 *
 * @param marks true: each code is in a `mark` element. False: the codes are plain text
 */
function revealed(children: ComponentChildren, marks: boolean): ComponentChildren {
  if (Array.isArray(children)) return children.map(child => revealed(child, marks))
  if (typeof children !== 'string') return children
  if (!marks) return withCodes(children)
  const pieces = cutAtInvisible(children)
  if (pieces.length === 1 && pieces.every(piece => 'text' in piece)) return children
  return pieces.map(piece => ('code' in piece ? h('mark', { class: 'code-point' }, piece.code) : piece.text))
}

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
type TextPiece = { readonly text: string } | { readonly code: string }

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
