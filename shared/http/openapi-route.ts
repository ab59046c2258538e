import type { HttpAnswer, Route } from './routes.js'

/**
 * A `GET` route with an OpenAPI document. What describes an API is loaded when it is first asked for: most runs never are.
 *
 * @param load makes the document
 * @param answer puts it in the form of the API's own answers
 */
export function openApiRoute(
  path: string,
  load: () => Promise<object>,
  answer: (json: string) => HttpAnswer,
): Route {
  let json: Promise<string> | undefined
  return {
    method: 'GET',
    path,
    async run() {
      json ??= load().then(document => JSON.stringify(document))
      return answer(await json)
    },
  }
}
