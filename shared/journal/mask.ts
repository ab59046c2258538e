import type { IncomingHttpHeaders } from 'node:http'

const SECRET_HEADERS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key'] as const

/** The headers with secret values replaced: that one was sent stays visible, what it was does not. */
export function maskHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  let masked = headers
  for (const name of SECRET_HEADERS) {
    const value = headers[name]
    if (value === undefined) continue
    if (masked === headers) masked = { ...headers }
    masked[name] = `${scheme(String(value))}[masked]`
  }
  return masked
}

/** `Bearer ` of `Bearer abc`: the scheme is no secret and tells which kind of credential it was. */
function scheme(value: string): string {
  const space = value.indexOf(' ')
  return space > 0 && /^[A-Za-z-]+$/.test(value.slice(0, space)) ? value.slice(0, space + 1) : ''
}
