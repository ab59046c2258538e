import { type ComponentChildren, Fragment, h, options, type VNode } from 'preact'
import { cutAtInvisible, withCodes } from '../model/invisible-text.js'

/** Attributes that are read by people. The value of a field is not among them, because it is edited. */
const READ_ATTRIBUTES = ['title', 'aria-label']

/** Elements that can hold no mark: names of elements in HTML and SVG. */
const TEXT_ONLY = ['title', 'text', 'tspan', 'option']

/**
 * Has the whole page show invisible characters by their codes, whichever part renders them. To be called
 * before the first render.
 *
 * Names, messages and arguments come from agents. U+202E in one of them would show a tool under another name.
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

/** Children with their texts cut: an array stays one, because the places in it are what elements are told apart by. */
function revealed(children: ComponentChildren, marks: boolean): ComponentChildren {
  if (Array.isArray(children)) return children.map(child => revealed(child, marks))
  if (typeof children !== 'string') return children
  if (!marks) return withCodes(children)
  const pieces = cutAtInvisible(children)
  if (pieces.length === 1 && pieces.every(piece => 'text' in piece)) return children
  return pieces.map(piece => ('code' in piece ? h('mark', { class: 'code-point' }, piece.code) : piece.text))
}
