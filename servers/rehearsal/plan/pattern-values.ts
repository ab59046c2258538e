/**
 * A part of a regular expression. Anchors and word boundaries have no node, because they match no characters.
 */
type Node =
  | { readonly kind: 'one of'; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'either'; readonly branches: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }

/** The first and the last code point of a range. */
type Range = readonly [number, number]

const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: [[0x30, 0x39]],
  w: [
    [0x61, 0x7a],
    [0x41, 0x5a],
    [0x30, 0x39],
    [0x5f, 0x5f],
  ],
  s: [
    [0x20, 0x20],
    [0x09, 0x0a],
    [0x0c, 0x0d],
  ],
}

const POSIX: Readonly<Record<string, readonly Range[]>> = {
  alpha: [
    [0x61, 0x7a],
    [0x41, 0x5a],
  ],
  alnum: [
    [0x61, 0x7a],
    [0x41, 0x5a],
    [0x30, 0x39],
  ],
  digit: [[0x30, 0x39]],
  lower: [[0x61, 0x7a]],
  upper: [[0x41, 0x5a]],
  xdigit: [
    [0x30, 0x39],
    [0x61, 0x66],
    [0x41, 0x46],
  ],
  space: [
    [0x20, 0x20],
    [0x09, 0x0d],
  ],
  word: [
    [0x61, 0x7a],
    [0x41, 0x5a],
    [0x30, 0x39],
    [0x5f, 0x5f],
  ],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
}

const CONTROLS: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c, v: 0x0b, a: 0x07 }

const ANY: Node = { kind: 'one of', ranges: [[0x20, 0x7e]], negated: false }

/** Maximum number of repetitions of a part in a text. */
const MAX_REPEATS = 300
/** Number of repetitions beyond the minimum, for a part without a maximum. */
const UNBOUNDED = 3

/**
 * Makes texts from a regular expression. Some texts match it, and many almost match it.
 *
 * The parser knows only a part of RE2's syntax. To find out whether a text matches, test it against the
 * pattern.
 *
 * @returns the texts, or an empty list for a pattern that cannot be read
 */
export function patternTexts(pattern: string): string[] {
  let tree: Node
  try {
    tree = new PatternReader(pattern).read()
  } catch {
    return []
  }
  const texts = new Set<string>()
  for (const text of [...extremes(tree), ...variants(tree)]) texts.add(text)
  return [...texts]
}

/** Parses a pattern into a tree of nodes. */
class PatternReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** @throws Error for syntax that this reader does not know */
  read(): Node {
    const tree = this.#either()
    if (this.#at < this.#text.length) throw new Error('a group is closed that was not opened')
    return tree
  }

  #either(): Node {
    const branches = [this.#sequence()]
    while (this.#take('|')) branches.push(this.#sequence())
    const [only] = branches
    return branches.length === 1 && only !== undefined ? only : { kind: 'either', branches }
  }

  #sequence(): Node {
    const parts: Node[] = []
    while (this.#at < this.#text.length && !'|)'.includes(this.#peek())) {
      const part = this.#atom()
      if (part !== undefined) parts.push(this.#repeated(part))
    }
    return { kind: 'sequence', parts }
  }

  #atom(): Node | undefined {
    const char = this.#next()
    if (char === '^' || char === '$') return undefined
    if (char === '.') return ANY
    if (char === '[') return this.#class()
    if (char === '(') return this.#group()
    return char === '\\' ? this.#escape() : literal(codeOf(char))
  }

  #group(): Node | undefined {
    const flags = /^\?(?:P?<[A-Za-z_]\w*>|[a-zA-Z]*(?:-[a-zA-Z]+)?(:)?)/.exec(this.#text.slice(this.#at))
    if (flags !== null) {
      this.#at += flags[0].length
      // `(?i)` only sets flags and has no content.
      if (this.#take(')')) return undefined
    }
    const inner = this.#either()
    if (!this.#take(')')) throw new Error('a group is not closed')
    return inner
  }

  #escape(): Node | undefined {
    const char = this.#next()
    if ('bBAzZ'.includes(char)) return undefined
    const known = CLASSES[char.toLowerCase()]
    if (known !== undefined) return { kind: 'one of', ranges: known, negated: char !== char.toLowerCase() }
    return literal(this.#escapedCode(char))
  }

  /** @throws Error for an escape that does not stand for one character, e.g. `\p` */
  #escapedCode(char: string): number {
    const control = CONTROLS[char]
    if (control !== undefined) return control
    const hex =
      char === 'x' ? /^(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/.exec(this.#text.slice(this.#at)) : null
    if (hex !== null) {
      this.#at += hex[0].length
      return Number.parseInt(hex[1] ?? hex[2] ?? '', 16)
    }
    if (/[A-Za-z0-9]/.test(char)) throw new Error(`\\${char} is not known`)
    return codeOf(char)
  }

  #class(): Node {
    const negated = this.#take('^')
    const ranges: Range[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const posix = /^\[:([a-z]+):\]/.exec(this.#text.slice(this.#at))
      const found = posix === null ? undefined : POSIX[posix[1] ?? '']
      if (posix !== null && found !== undefined) {
        this.#at += posix[0].length
        ranges.push(...found)
        continue
      }
      const member = this.#member()
      if (typeof member !== 'number') {
        ranges.push(...member)
        continue
      }
      const isRange = this.#peek() === '-' && this.#text[this.#at + 1] !== ']'
      if (!isRange) {
        ranges.push([member, member])
        continue
      }
      this.#at++
      const last = this.#member()
      if (typeof last === 'number') ranges.push([member, last])
    }
    this.#at++
    return { kind: 'one of', ranges, negated }
  }

  #member(): number | readonly Range[] {
    const char = this.#next()
    if (char !== '\\') return codeOf(char)
    const escaped = this.#next()
    return CLASSES[escaped] ?? this.#escapedCode(escaped)
  }

  #repeated(part: Node): Node {
    const found = /^(?:([*+?])|\{(\d+)(,)?(\d+)?\})\??/.exec(this.#text.slice(this.#at))
    if (found === null) return part
    this.#at += found[0].length
    const [, sign, from, comma, to] = found
    if (sign !== undefined) {
      const min = sign === '+' ? 1 : 0
      return { kind: 'repeat', part, min, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY }
    }
    const min = Number(from)
    const max = to !== undefined ? Number(to) : comma === undefined ? min : Number.POSITIVE_INFINITY
    return { kind: 'repeat', part, min, max }
  }

  #peek(): string {
    return this.#text[this.#at] ?? ''
  }

  #next(): string {
    const code = this.#text.codePointAt(this.#at)
    if (code === undefined) throw new Error('the pattern ends too early')
    const char = String.fromCodePoint(code)
    this.#at += char.length
    return char
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }
}

function literal(code: number): Node {
  return { kind: 'one of', ranges: [[code, code]], negated: false }
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0
}

/**
 * Returns the shortest matching text in which each part is repeated at least `atLeast` times, as far as its
 * maximum allows.
 */
function shortest(node: Node, atLeast = 0): string {
  if (node.kind === 'one of') return member(node)
  if (node.kind === 'sequence') return node.parts.map(part => shortest(part, atLeast)).join('')
  if (node.kind === 'either') return shortest(node.branches[0] ?? EMPTY, atLeast)
  return shortest(node.part, atLeast).repeat(
    Math.min(Math.max(node.min, Math.min(atLeast, node.max)), MAX_REPEATS),
  )
}

const EMPTY: Node = { kind: 'sequence', parts: [] }

/** Returns a character that a class matches. */
function member({ ranges, negated }: Extract<Node, { kind: 'one of' }>): string {
  if (!negated) return String.fromCodePoint(ranges[0]?.[0] ?? 0x61)
  const code = [...printable()].find(each => !inside(ranges, each))
  return String.fromCodePoint(code ?? 0x61)
}

function inside(ranges: readonly Range[], code: number): boolean {
  return ranges.some(([from, to]) => code >= from && code <= to)
}

function* printable(): Generator<number> {
  for (let code = 0x61; code <= 0x7e; code++) yield code
  for (let code = 0x20; code <= 0x60; code++) yield code
}

/**
 * Returns three texts: with the fewest repetitions, with at least one repetition, and with the most
 * repetitions.
 */
function extremes(tree: Node): string[] {
  return [shortest(tree), shortest(tree, 1), longest(tree)]
}

function longest(node: Node): string {
  if (node.kind === 'one of') return member(node)
  if (node.kind === 'sequence') return node.parts.map(longest).join('')
  if (node.kind === 'either') return longest(node.branches.at(-1) ?? EMPTY)
  const { part, min, max } = node
  const count = Number.isFinite(max) ? max : min + UNBOUNDED
  return longest(part).repeat(Math.min(count, MAX_REPEATS))
}

/**
 * Returns variants of the shortest text, each with one part changed.
 *
 * A change is another branch, a character at or next to the end of a range, or one repetition more or less
 * than the limits of the part.
 */
function variants(node: Node): string[] {
  switch (node.kind) {
    case 'one of':
      return beside(node)
    case 'either':
      return node.branches.flatMap(branch => [shortest(branch, 1), ...variants(branch)])
    case 'sequence':
      return node.parts.flatMap((part, at) => {
        const before = node.parts
          .slice(0, at)
          .map(other => shortest(other, 1))
          .join('')
        const behind = node.parts
          .slice(at + 1)
          .map(other => shortest(other, 1))
          .join('')
        return ['', ...variants(part)].map(text => before + text + behind)
      })
    case 'repeat': {
      const { part, min, max } = node
      const unit = shortest(part, 1)
      const counts = [min - 1, min, min + 1, ...(Number.isFinite(max) ? [max - 1, max, max + 1] : [])]
      const repeated = counts
        .filter(count => count >= 0 && count <= MAX_REPEATS)
        .map(count => unit.repeat(count))
      const others = variants(part)
      const filler = unit.repeat(Math.max(0, min - 1))
      const behind = max > 1 ? others.slice(0, BEHIND_FIRST) : []
      return [
        ...repeated,
        ...others.map(text => text + filler),
        ...behind.map(text => unit + text + filler.slice(unit.length)),
      ]
    }
  }
}

/**
 * Returns characters inside and outside of a class. For a literal character, returns only three other
 * characters.
 */
function beside({ ranges }: Extract<Node, { kind: 'one of' }>): string[] {
  const [first] = ranges
  if (ranges.length === 1 && first !== undefined && first[0] === first[1]) {
    const char = String.fromCodePoint(first[0])
    const swapped = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase()
    return [swapped, 'x', '0']
  }
  const ends = ranges.flatMap(([from, to]) => [from - 1, from, to, to + 1])
  const codes = [...ends, ...printable(), ...FOREIGN].filter(code => code > 0 && code <= 0x10_ffff)
  return [...new Set(codes)].map(code => String.fromCodePoint(code))
}

/** Control characters, and letters, digits and spaces outside of ASCII. */
const FOREIGN = [
  0x09, 0x0a, 0x0d, 0x7f, 0xa0, 0xe9, 0x0131, 0x017f, 0x0430, 0x0660, 0x212a, 0x2028, 0xff11, 0xff41,
]

/**
 * Maximum number of changes to a repeated part that are tried in its second repetition. All changes are tried
 * in the first.
 */
const BEHIND_FIRST = 12
