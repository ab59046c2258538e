const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * A key that one object of a JSON text has twice; undefined if there is none.
 *
 * Readers differ on which of the two counts: a policy that judged one would let the other through.
 *
 * @param json known to be valid
 */
export function repeatedKey(json: string): string | undefined {
  /** The keys of every object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = []
  let keys: Set<string> | undefined
  let atKey = false
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfText(json, at)
        if (atKey && keys !== undefined) {
          const key = unescaped(json.slice(at + 1, end))
          if (keys.has(key)) return key
          keys.add(key)
          atKey = false
        }
        at = end
        break
      }
      case OPEN_OBJECT:
        keys = new Set()
        open.push(keys)
        atKey = true
        break
      case OPEN_ARRAY:
        keys = undefined
        open.push(undefined)
        atKey = false
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop()
        keys = open.at(-1)
        atKey = false
        break
      case COMMA:
        atKey = keys !== undefined
    }
  }
  return undefined
}

/** Where the text that begins at `start` has its closing quote. */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let escapes = 0
    while (json.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return end
  }
  return json.length
}

function unescaped(text: string): string {
  return text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text
}
