/** A message as JSON; undefined if it is nested so deeply (thousands of levels) that it could be read but cannot be written. */
export function written(message: unknown): string | undefined {
  try {
    return JSON.stringify(message)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
