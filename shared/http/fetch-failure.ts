/**
 * Returns the reason why a `fetch` failed. `fetch` puts the reason into the `cause` of its error. If the
 * cause contains several errors, the first error is used.
 */
export function fetchFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof AggregateError && cause.errors.length > 0) return fetchFailure(cause.errors[0])
  return cause === undefined ? error.message : fetchFailure(cause)
}
