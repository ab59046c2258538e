/** A pattern that lets other texts match, and how it differs. */
export interface OtherPattern {
  readonly does: string
  readonly value: string
}

/** Patterns that match more than `pattern` does. Of each kind of change there is at most one. */
export function widerPatterns(pattern: string): OtherPattern[] {
  const start = pattern.startsWith('^')
  const end = pattern.endsWith('$')
  const inner = pattern.slice(start ? 1 : 0, end ? -1 : undefined)
  const begin = start ? '^' : ''
  const close = end ? '$' : ''
  return different(pattern, [
    start && { does: 'is not anchored at its start', value: inner + close },
    end && { does: 'is not anchored at its end', value: begin + inner },
    start && end && { does: 'is not anchored', value: inner },
    start && { does: 'lets white space stand before it', value: `^\\s*${inner}${close}` },
    end && { does: 'lets a newline stand behind it', value: `${begin}${inner}\\n?$` },
    (start || end) && { does: 'matches each line', value: `(?m)${pattern}` },
    hasOneCase(pattern) && { does: 'ignores case', value: `(?i)${pattern}` },
    {
      does: 'takes one repetition more',
      value: pattern.replace(/\{(\d+),(\d+)\}/, (_, least, most) => `{${least},${Number(most) + 1}}`),
    },
    { does: 'takes no repetition', value: pattern.replace(/\{[1-9]\d*,(\d+)\}/, '{0,$1}') },
    { does: 'takes any number of repetitions', value: pattern.replace(/\{(\d+),\d+\}/, '{$1,}') },
    { does: 'takes none for one or more', value: pattern.replace(/([\])])\+/, '$1*') },
    ...['/', ' ', '@'].map(
      added =>
        !inClass(pattern, added) && {
          does: `takes ${JSON.stringify(added)} in a class`,
          value: addedToClass(pattern, added),
        },
    ),
    !inClass(pattern, '0-9') && { does: 'takes digits in a class', value: addedToClass(pattern, '0-9') },
    !inClass(pattern, 'A-Z') && { does: 'takes capitals in a class', value: addedToClass(pattern, 'A-Z') },
    { does: 'takes any character for a class', value: pattern.replace(/\[[^\]\\]+\]/, '.') },
    { does: 'does not escape a dot', value: pattern.replace('\\.', '.') },
    { does: 'does not escape the last dot', value: pattern.replace(/^(.*)\\\./, '$1.') },
  ])
}

/** Patterns that match less than `pattern` does: looser where a match denies. */
export function narrowerPatterns(pattern: string): OtherPattern[] {
  const alternatives = pattern.split('|')
  return different(pattern, [
    !pattern.startsWith('^') && { does: 'matches at the start only', value: `^(${pattern})` },
    !pattern.endsWith('$') && { does: 'matches at the end only', value: `(${pattern})$` },
    ...(alternatives.length < 2 ? [] : alternatives).map((left, at) => ({
      does: `lacks the alternative ${left}`,
      value: alternatives.filter((_, other) => other !== at).join('|'),
    })),
    { does: 'demands what was optional', value: pattern.replace(/(\([^()]*\))\?/, '$1') },
    { does: 'forbids what was optional', value: pattern.replace(/\([^()]*\)\?/, '') },
    { does: 'takes capitals only', value: pattern.replace(/\[A-Za-z/, '[A-Z') },
  ])
}

function different(pattern: string, others: readonly (OtherPattern | false)[]): OtherPattern[] {
  return others.filter(other => other !== false).filter(({ value }) => value !== pattern)
}

/** Whether a letter stands in the pattern in one case alone. */
function hasOneCase(pattern: string): boolean {
  const plain = pattern.replace(/\\./g, '').replaceAll('A-Za-z', '')
  return /[a-z]/i.test(plain)
}

function inClass(pattern: string, part: string): boolean {
  return firstClass(pattern)?.includes(part) ?? true
}

function addedToClass(pattern: string, part: string): string {
  const found = firstClass(pattern)
  return found === undefined ? pattern : pattern.replace(found, `[${part}${found.slice(1)}`)
}

function firstClass(pattern: string): string | undefined {
  return /(?<!\\)\[[^\]\\]+\]/.exec(pattern)?.[0]
}
