import { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi'
import { defined } from '../util/objects.js'
import type { Operation } from './operation.js'

/** The parts of an API's OpenAPI document that do not come from its operations. */
export interface ApiDescription extends Pick<ZodOpenApiObject, 'info' | 'components'> {
  /** The URL of the API, `http://host:port`. */
  url: string
  /** The schema of every error. */
  error: z.ZodType
  /** The meaning of each HTTP status, as a text. */
  meanings: Readonly<Record<number, string>>
}

/** Creates an OpenAPI document. The document leaves hidden operations out. */
export function openApi(
  operations: readonly Operation[],
  { url, error, meanings, ...more }: ApiDescription,
): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = {}
  for (const operation of operations.filter(({ hidden }) => !hidden)) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation) }
  }
  return createDocument({ openapi: '3.1.0', ...more, servers: [{ url }], paths })

  function describe({ method, path, summary, query, body, security, ...operation }: Operation) {
    const params = operation.params ?? pathParams(path)
    const described: ZodOpenApiOperationObject = {
      operationId: operationId(method, path),
      summary,
      ...defined({
        requestParams:
          params === undefined && query === undefined ? undefined : defined({ path: params, query }),
        // The body is optional if an empty object is a valid body.
        requestBody: body && { required: !body.safeParse({}).success, content: json(body) },
        security: security?.map(scheme => ({ ...scheme })),
      }),
      responses: responses(operation),
    }
    return described
  }

  function responses({
    answer,
    status = 200,
    others = {},
    refusals = [],
  }: Pick<Operation, 'answer' | 'status' | 'others' | 'refusals'>): ZodOpenApiResponsesObject {
    const contents = new Map([
      [status, typeof answer === 'string' ? { [answer]: {} } : answer && json(answer)],
    ])
    for (const errorStatus of refusals) contents.set(errorStatus, json(error))
    for (const [other, schema] of Object.entries(others)) contents.set(Number(other), schema && json(schema))
    const described = ([status, content]: [number, ZodOpenApiResponseObject['content']]) => [
      status,
      { description: meanings[status] ?? 'Done', ...defined({ content }) },
    ]
    return Object.fromEntries([...contents].map(described))
  }
}

function pathParams(path: string): z.ZodObject | undefined {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  return names.length === 0 ? undefined : z.object(Object.fromEntries(names.map(name => [name, z.string()])))
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } }
}

/** Returns an operation id, such as `postSnapshotsIdRestore`. */
function operationId(method: string, path: string): string {
  const words = path.split(/\W+/).filter(word => word !== '')
  const named = words.map(word => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
  return `${method.toLowerCase()}${named.join('') || 'Front'}`
}
