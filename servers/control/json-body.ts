import { Refusal } from '../../shared/errors.js'

/** Far more than any fault, overlay or world needs; what is nested deeper could be read, and not be copied or shown. */
const DEEPEST = 100

/**
 * The JSON of a request.
 *
 * @throws Refusal `bad_json`
 */
export function parseBody(text: string): unknown {
  if (depthOf(text) > DEEPEST) {
    throw new Refusal('bad_json', `the body is nested more than ${DEEPEST} levels deep`, 'send it flatter')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal('bad_json', `the body is no JSON: ${why}`, 'send JSON, e.g. with curl -d')
  }
}

/** How deep the brackets outside of strings are nested. One pass: whatever is sent, it takes no longer than it is long. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '"') quoted = !quoted
    else if (quoted) at += char === '\\' ? 1 : 0
    else if (char === '[' || char === '{') deepest = Math.max(deepest, ++depth)
    else if (char === ']' || char === '}') depth--
  }
  return deepest
}
