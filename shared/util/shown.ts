const SHOWN_CHARS = 60

/** The most that an error message quotes of a file. */
export const MAX_QUOTED_CHARS = 80

/** A value as an error shows it: as JSON, cut short. */
export function shown(value: unknown): string {
  const text = written(value)
  return text.length <= SHOWN_CHARS ? text : `${cut(text, SHOWN_CHARS)} (${text.length} characters)`
}

/** A text of at most `chars` characters, and `…` where more was cut off. */
export function cut(text: string, chars = MAX_QUOTED_CHARS): string {
  return text.length <= chars ? text : `${text.slice(0, chars)}…`
}

function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return 'a value nested too deeply to be shown'
  }
}
