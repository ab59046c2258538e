/** Why a `fetch` failed: it hides that in the cause of its error, and there may be several at once. */
export function fetchFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof AggregateError && cause.errors.length > 0) return fetchFailure(cause.errors[0])
  return cause === undefined ? error.message : fetchFailure(cause)
}
