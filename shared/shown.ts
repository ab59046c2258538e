const SHOWN_CHARS = 60

/** A value as an error shows it: as JSON, cut short. */
export function shown(value: unknown): string {
  const text = written(value)
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS)}… (${text.length} characters)`
}

function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return 'a value nested too deeply to be shown'
  }
}
