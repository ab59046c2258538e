import { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi'
import type { OperationDescription } from '../../shared/http/operation.js'
import { defined } from '../../shared/util/defined.js'
import { VERSION } from '../../shared/util/version.js'
import { errorAnswer } from './schemas/health.js'

/** Why each status refuses, in the words of the document. */
const WHY: Readonly<Record<number, string>> = {
  400: 'Something in the request cannot be read, or names what there is not',
  404: 'There is no such thing',
  408: 'It did not arrive in time; the message names the nearest miss',
  409: 'It does not fit what is now',
  413: 'The body is too large',
  503: 'It cannot be done now',
}

/** The control plane as an OpenAPI document, from the same schemas that its requests are read by. */
export function openApi(
  operations: readonly OperationDescription[],
  url: string,
): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = {}
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: described(operation) }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'The control plane of mcp-understudy',
      version: VERSION,
      description: 'Time, the journal, faults, overlays, state, snapshots of the stand-ins.',
    },
    servers: [{ url }],
    paths,
  })
}

function described({
  method,
  path,
  summary,
  query,
  body,
  ...answers
}: OperationDescription): ZodOpenApiOperationObject {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  const params =
    names.length === 0 ? undefined : z.object(Object.fromEntries(names.map(name => [name, z.string()])))
  return {
    operationId: operationId(method, path),
    summary,
    ...defined({
      requestParams:
        params === undefined && query === undefined ? undefined : defined({ path: params, query }),
      requestBody: body && { content: json(body) },
    }),
    responses: responsesOf(answers, method === 'GET' ? [400] : [400, 413]),
  }
}

function responsesOf(
  {
    answer,
    status = 200,
    refusals = [],
    others = {},
  }: Pick<OperationDescription, 'answer' | 'status' | 'refusals' | 'others'>,
  common: readonly number[],
): ZodOpenApiResponsesObject {
  const responses: [status: number, ZodOpenApiResponseObject][] = [
    [status, { description: 'It', content: typeof answer === 'string' ? { [answer]: {} } : json(answer) }],
  ]
  for (const refusal of [...common, ...refusals]) {
    responses.push([refusal, { description: WHY[refusal] ?? 'It was refused', content: json(errorAnswer) }])
  }
  for (const [other, schema] of Object.entries(others)) {
    const description = WHY[Number(other)] ?? 'Another answer'
    responses.push([Number(other), { description, content: json(schema) }])
  }
  return Object.fromEntries(responses)
}

function json(schema: z.ZodType) {
  return { 'application/json': { schema } }
}

/** `postSnapshotsIdRestore` */
function operationId(method: string, path: string): string {
  const words = path.split(/\W+/).filter(word => word !== '')
  const named = words.map(word => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
  return `${method.toLowerCase()}${named.join('') || 'Front'}`
}
