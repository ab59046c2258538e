import type { Route } from '../../../shared/http/routes.js'
import type { Contract } from '../contract.js'
import { encoded } from './answer.js'

/** `GET /openapi.json`. What describes the API is loaded when it is first asked for: most runs never are. */
export function openApiRoute(contract: Contract, url: string): Route {
  let json: Promise<string> | undefined
  return {
    method: 'GET',
    path: '/openapi.json',
    async run() {
      json ??= import('./openapi.js').then(({ openApi }) => JSON.stringify(openApi(contract, url)))
      return encoded(200, await json, { 'Cache-Control': 'public, max-age=3600' })
    },
  }
}
