import { expect, it } from 'vitest'
import { createPostgres, FREE, listed, PAID, startInstanode } from '../../support/servers/instanode.js'
import { refused } from '../../support/servers/understudy.js'

// fidelity instanode/headers, differs: The service logs events with tokens in clear. Here: The journal has
// each call with its account, and no bearer, so that it can be shown.
it('the journal has every call with its account and outcome, and no bearer', async () => {
  const { client, instance } = await startInstanode()
  await createPostgres(await client())
  await listed(await client(PAID))
  await refused(await client(FREE), 'claim_token', { token: 'abc' })
  const calls = instance.journal.entries({ method: 'tools/call' })
  expect(calls.map(({ server, caller, tool, outcome }) => [server, caller, tool, outcome])).toEqual([
    ['instanode', 'anonymous', 'create_postgres', 'ok'],
    ['instanode', 'acct_paid', 'list_resources', 'ok'],
    ['instanode', 'acct_free', 'claim_token', 'tool_error'],
  ])
  const everything = JSON.stringify(instance.journal.entries())
  for (const token of [FREE, PAID]) expect(everything).not.toContain(token)
})

it('without a session, the bearer of each request identifies the caller', async () => {
  const { url, instance } = await startInstanode()
  const call = (authorization?: string) =>
    fetch(`${url}/mcp`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json',
        ...(authorization !== undefined && { authorization }),
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'list_resources' },
      }),
    }).then(response => response.json())
  expect(await call(`Bearer ${PAID}`)).toMatchObject({ result: { structuredContent: { resources: [] } } })
  expect(await call()).toMatchObject({ result: { isError: true } })
  expect(await call(`bearer ${PAID}`)).toMatchObject({ result: { isError: true } })
  const callers = instance.journal.entries({ tool: 'list_resources' }).map(({ caller }) => caller)
  expect(callers).toEqual(['acct_paid', 'anonymous', 'anonymous'])
})
