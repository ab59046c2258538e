/** Thrown if the control plane refuses a request. Its message comes from the control plane. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint: string | null,
  ) {
    super(message)
  }
}

/**
 * Sends a request to the control plane that serves this page.
 *
 * @throws Refused, or TypeError if the control plane cannot be reached
 */
export async function ask<Answer>(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await fetch(path, {
    method,
    ...(body !== undefined && {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })
  const answer = await response.json()
  if (response.ok) return answer
  throw new Refused(
    response.status,
    String(answer?.error?.message ?? response.statusText),
    answer?.error?.hint ?? null,
  )
}
