/** Maximum length of a value in an error message, in characters. */
const SHOWN_CHARS = 60

/** Maximum length of a quotation from a file in an error message, in characters. */
export const MAX_QUOTED_CHARS = 80

/** Formats a value as JSON for an error message. A long text is shortened. */
export function shown(value: unknown): string {
  const text = toJson(value)
  return text.length <= SHOWN_CHARS ? text : `${cut(text, SHOWN_CHARS)} (${text.length} characters)`
}

/** Shortens a text to `chars` characters. `…` replaces the rest. */
export function cut(text: string, chars = MAX_QUOTED_CHARS): string {
  return text.length <= chars ? text : `${text.slice(0, chars)}…`
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return 'a value nested too deeply to be shown'
  }
}
