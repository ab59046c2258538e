/**
 * Returns why a `fetch` failed. The reason is in the cause of the error. If there are several reasons,
 * returns the first.
 */
export function fetchFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof AggregateError && cause.errors.length > 0) return fetchFailure(cause.errors[0])
  return cause === undefined ? error.message : fetchFailure(cause)
}
