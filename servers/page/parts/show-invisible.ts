import { type ComponentChildren, Fragment, h, options, type VNode } from 'preact'
import { cutAtInvisible, withCodes } from '../model/invisible-text.js'

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
