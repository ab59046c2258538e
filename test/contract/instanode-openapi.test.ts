import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { send } from '../support/clients/raw-http.js'
import { startInstanode } from '../support/servers/instanode.js'

const operation = z.looseObject({ responses: z.record(z.string(), z.unknown()) })
const description = z.looseObject({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ version: z.literal('0.1.0') }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({
    schemas: z.record(z.string(), z.looseObject({})),
    securitySchemes: z.record(z.string(), z.looseObject({ type: z.string() })),
  }),
})

describe.each(['documented', 'observed'] as const)('/openapi.json, %s', contract => {
  async function start() {
    const running = await startInstanode({ contract, requestLimit: 'none' })
    const answer = await send(`${running.url}/openapi.json`, { method: 'GET' })
    return { ...running, answer, document: description.parse(answer.json) }
  }

  // fidelity instanode/http, same: `/openapi.json` is a valid document with a `max-age` of one hour.
  it('is a valid OpenAPI document with a max-age of one hour', async () => {
    const { answer } = await start()
    expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      200,
      'application/json; charset=utf-8',
      'public, max-age=3600',
    ])
    const { valid, errors } = await new Validator().validate(Object(answer.json))
    expect([valid, errors]).toEqual([true, undefined])
  })

  // fidelity instanode/http, same: `/openapi.json` has the schema names of the service.
  it('has the schema names of the service', async () => {
    const { document } = await start()
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining([
        ...['Tier', 'Resource', 'PostgresLimits', 'WebhookLimits', 'ProvisionRequest', 'ProvisionResponse'],
        ...['WebhookProvisionResponse', 'Error', 'RateLimitedError'],
      ]),
    )
    expect(document.components.securitySchemes).toMatchObject({
      sessionCookie: { type: 'apiKey', in: 'cookie', name: 'session' },
      bearerAuth: { type: 'http', scheme: 'bearer' },
    })
  })

  // fidelity instanode/http, differs: The service's document has errors. Here: The document is made from the
  // schemas of this server, so that each route answers as it says.
  it('describes routes that answer with a documented status', async () => {
    const { document, url } = await start()
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        const target = `${url}${path.replace('{token}', '00000000-0000-4000-8000-000000000000')}`
        const { status } = await send(target, { method: method.toUpperCase() })
        expect([path, method, Object.keys(responses)]).toEqual([
          path,
          method,
          expect.arrayContaining([`${status}`]),
        ])
      }
    }
  })

  it('is the same document every time', async () => {
    const { url, answer } = await start()
    expect((await send(`${url}/openapi.json`, { method: 'GET' })).body).toBe(answer.body)
  })
})
