import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startControlled } from '../support/clients/control.js'
import { HttpStream } from '../support/clients/http-stream.js'

const operation = z.looseObject({ operationId: z.string(), responses: z.record(z.string(), z.unknown()) })
const description = z.looseObject({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.looseObject({})) }),
})

/** A body that each of those takes which need one. */
const GOOD: Readonly<Record<string, unknown>> = {
  'put /clock': { now: '2026-01-01T00:00:01Z' },
  'post /clock/advance': { ms: 1 },
  'post /journal/wait': { where: {}, timeoutMs: 0 },
  'put /faults': { faults: [] },
  'put /catalogue': { overlays: [] },
  'post /accounts/{id}': { plan: 'paid' },
  'post /approvals/{id}': { decision: 'approve' },
}

async function start() {
  const { ask, u } = await startControlled()
  const answer = await ask('GET', '/openapi.json')
  return { ask, u, answer, document: description.parse(answer.json) }
}

/** Every operation, with the path to ask, all its parameters filled in. */
function operations({ paths }: z.infer<typeof description>, id: string) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]) => ({
      ...{ path, method, statuses: Object.keys(responses), name: `${method} ${path}` },
      target: path.replace('{id}', id).replace('{seq}', '1'),
    })),
  )
}

describe('/openapi.json of the control plane', () => {
  it('is a valid OpenAPI document, and the same every time', async () => {
    const { answer, ask } = await start()
    const { valid, errors } = await new Validator().validate(Object(answer.json))
    expect([valid, errors]).toEqual([true, undefined])
    expect((await ask('GET', '/openapi.json')).body).toBe(answer.body)
  })

  it('has every route that GET / lists, each with its own operation id', async () => {
    const { document, ask } = await start()
    const front = (await ask('GET', '/', undefined, { accept: 'text/plain' })).body
    const listed = [...front.matchAll(/^([A-Z]+) +(\/\S*)/gm)].map(
      ([, method = '', path = '']) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`,
    )
    const described = operations(document, 'x').map(({ name }) => name)
    expect(described.toSorted()).toEqual(listed.toSorted())
    const ids = Object.values(document.paths).flatMap(methods =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('describes routes that answer as described to an empty request, a valid one and a malformed one', async () => {
    const { document, ask, u } = await start()
    await u.safebot.connect()
    await ask('POST', '/snapshots')
    for (const { name, method, target, statuses } of operations(document, 'snapshot-1')) {
      if (target.endsWith('/stream')) {
        const stream = await HttpStream.open(`${u.control.url}${target}`, 'GET', {})
        expect(stream.response.statusCode).toBe(200)
        stream.drop()
        continue
      }
      const path = name.includes('/accounts/') ? '/accounts/acct_free' : target
      for (const body of [undefined, GOOD[name], '{"nonsense":1}', '{']) {
        const { status } = await ask(method.toUpperCase(), path, body)
        expect([name, body, statuses]).toEqual([name, body, expect.arrayContaining([`${status}`])])
      }
    }
  })

  it('describes every refusal with the same schema', async () => {
    const { document } = await start()
    const forms = operations(document, 'x').flatMap(({ path, method }) =>
      Object.entries(document.paths[path]?.[method]?.responses ?? {})
        .filter(([status]) => Number(status) >= 400)
        .map(([, response]) => JSON.stringify(Object(response).content)),
    )
    expect(new Set(forms)).toEqual(
      new Set(
        ['Error', 'NotReady'].map(
          name => `{"application/json":{"schema":{"$ref":"#/components/schemas/${name}"}}}`,
        ),
      ),
    )
  })
})
