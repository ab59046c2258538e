import { h, options } from 'preact'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cutAtInvisible, showInvisible, withCodes } from '../../../servers/page/parts/invisible-text.js'

describe('a text on the page', () => {
  it.each([
    ['right-to-left override', 'ack\u202Eksat', 'ack[U+202E]ksat'],
    ['isolates', '\u2066a\u2069', '[U+2066]a[U+2069]'],
    ['marks of direction', 'a\u200E\u200F\u061Cb', 'a[U+200E][U+200F][U+061C]b'],
    [
      'zero-width characters',
      'a\u200B\u200C\u200D\u2060\uFEFFb',
      'a[U+200B][U+200C][U+200D][U+2060][U+FEFF]b',
    ],
    ['soft hyphens', 'dele\u00ADte', 'dele[U+00AD]te'],
    ['fillers and blanks', '\u3164\u115F\u2800', '[U+3164][U+115F][U+2800]'],
    ['tags', 'a\u{E0041}\u{E007F}', 'a[U+E0041][U+E007F]'],
    ['variation selectors that carry bytes', 'a\uFE0F\u{E0100}', 'a[U+FE0F][U+E0100]'],
    ['control characters', '\u0000\u001B[31m\u007F\u0085', '[U+0000][U+001B][31m[U+007F][U+0085]'],
    ['line separators', 'a\u2028b\u2029', 'a[U+2028]b[U+2029]'],
  ])('shows the codes of %s', (_, text, shown) => {
    expect(withCodes(text)).toBe(shown)
  })

  it('keeps visible characters: letters of any script, white space, emoji', () => {
    for (const text of ['', 'delete_resource', 'שלום مرحبا', 'a\tb\r\nc', 'naïve 🙂 ❤️', 'e\u0301']) {
      expect(cutAtInvisible(text)).toEqual([{ text }])
    }
  })

  it('is split into plain parts and marked parts', () => {
    expect(cutAtInvisible('a\u202Eb\u200B')).toEqual([
      { text: 'a' },
      { code: 'U+202E' },
      { text: 'b' },
      { code: 'U+200B' },
    ])
  })
})

describe('the page', () => {
  /** Returns the children of an element as `name(text)`. */
  function rendered(vnode: { props: object }): string {
    const parts = (children: unknown): string =>
      Array.isArray(children)
        ? children.map(parts).join('')
        : typeof children === 'object' && children !== null && 'props' in children && 'type' in children
          ? `${String(children.type)}(${parts(Object(children.props).children)})`
          : String(children ?? '')
    return parts(Object(vnode.props).children)
  }

  it('marks invisible characters in every element, list and attribute', () => {
    const before = options.vnode
    onTestFinished(() => {
      if (before === undefined) delete options.vnode
      else options.vnode = before
    })
    showInvisible()
    expect(rendered(h('span', null, 'ack\u202Eksat'))).toBe('ackmark(U+202E)ksat')
    expect(rendered(h('td', null, ['a', ['\u200Bb']], 'c'))).toBe('amark(U+200B)bc')
    expect(rendered(h('text', null, 'a\u202E'))).toBe('a[U+202E]')
    const button = h('button', { 'aria-label': 'Approve \u202Ex', title: 'y\u200B' }, 7)
    expect(button.props).toMatchObject({ 'aria-label': 'Approve [U+202E]x', title: 'y[U+200B]', children: 7 })
    expect(h('input', { value: 'a\u202E' }).props).toMatchObject({ value: 'a\u202E' })
  })
})
