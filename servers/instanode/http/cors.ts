import type { HttpCall } from '../../../shared/http/http-call.js'

/** The service's own pages, which may call the API with a session cookie from where they are. */
export const SITE_ORIGIN = 'https://instanode.dev'

const TRUSTED = [SITE_ORIGIN, 'http://localhost:5173', 'http://localhost:3000']

const ALLOWED = {
  'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, X-CSRF-Token, X-Requested-With',
}

const TO_ANYONE = { ...ALLOWED, 'Access-Control-Allow-Origin': '*' }

/** What a browser is told about who may read the answer. */
export function corsHeaders({ headers: { origin } }: HttpCall): Record<string, string> {
  if (origin === undefined) return TO_ANYONE
  if (!TRUSTED.includes(origin)) return ALLOWED
  return {
    ...ALLOWED,
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    Vary: 'Origin',
  }
}
