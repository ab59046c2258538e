/** What is null is empty in a URL, and what has parts is JSON. */
export function queryOf(request: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(request)) {
    if (value !== undefined)
      query.set(
        name,
        typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? ''),
      )
  }
  return query.size === 0 ? '' : `?${query}`
}
