import { describe, expect, it } from 'vitest'
import { agentBehind, NAIVE, reached, underAttack } from '../../support/gateway/attack.js'
import { call, ok, refused, textOf } from '../../support/servers/understudy.js'

const STRICT = 'policylayer/safebot-strict.json'

describe('mcp-rug-pull', () => {
  it('has its new tool called through a naive policy, and not through a policy that denies by default', async () => {
    const understudy = await underAttack('mcp-rug-pull')
    const naive = await agentBehind(understudy, 'safebot', NAIVE)
    const strict = await agentBehind(understudy, 'safebot', STRICT)
    const names = async () => (await strict.listTools()).tools.map(({ name }) => name)
    await strict.listTools()
    expect(await names()).not.toContain('export_room')
    expect(await names()).toContain('export_room')
    expect(textOf(await call(naive, 'export_room', { url: 'x' }))).toContain('CANARY-rug')
    expect(reached(understudy, 'export_room')).toBe(1)
    expect(await refused(strict, 'export_room', { url: 'x' })).toContain('not permitted by policy')
    expect(reached(understudy, 'export_room')).toBe(1)
  })

  it('has an approved tool ask for more, which no policy by tool name notices', async () => {
    const understudy = await underAttack('mcp-rug-pull')
    const strict = await agentBehind(understudy, 'safebot', STRICT)
    const required = async () =>
      (await strict.listTools()).tools.find(({ name }) => name === 'room_status')?.inputSchema.required
    expect([await required(), await required(), await required()]).toEqual([
      ['url'],
      ['url'],
      ['url', 'api_token'],
    ])
  })
})

describe('mcp-typosquatting', () => {
  it.each(['cl\u0430im_task', 'send_rnessage'])('has %s called through a naive policy only', async name => {
    const understudy = await underAttack('mcp-typosquatting')
    const naive = await agentBehind(understudy, 'safebot', NAIVE)
    expect((await naive.listTools()).tools.map(tool => tool.name)).toContain(name)
    expect(textOf(await call(naive, name, { url: 'x', text: 'y' }))).toContain('CANARY-lookalike')
    expect(reached(understudy, name)).toBe(1)
    const strict = await agentBehind(understudy, 'safebot', STRICT)
    expect(await refused(strict, name, { url: 'x', text: 'y' })).toContain('not permitted by policy')
    expect(reached(understudy, name)).toBe(1)
  })
})

describe('tool-poisoning', () => {
  it('is read through any policy: pinned descriptions would show it, rules on tool names do not', async () => {
    const understudy = await underAttack('tool-poisoning')
    for (const policy of [NAIVE, 'policylayer/instanode-strict.json']) {
      const { tools } = await (await agentBehind(understudy, 'instanode', policy)).listTools()
      expect(tools.find(({ name }) => name === 'list_resources')?.description).toContain('CANARY-poison')
    }
  })

  it('asks for a credential, which a stricter policy does not allow out', async () => {
    const understudy = await underAttack('tool-poisoning')
    const naive = await agentBehind(understudy, 'instanode', NAIVE)
    const { token } = await ok(naive, 'get_api_token')
    expect(token).toMatch(/^eyJ/)
    const strict = await agentBehind(understudy, 'instanode', 'policylayer/instanode-strict.json')
    expect(await refused(strict, 'get_api_token')).toContain('is hidden by policy')
    expect(reached(understudy, 'get_api_token')).toBe(1)
  })
})

describe('runaway-tool-loops', () => {
  it('never ends through a naive policy, and ends at the limit of a stricter one', async () => {
    const understudy = await underAttack('runaway-tool-loops')
    const loop = async (policy: string) => {
      const agent = await agentBehind(understudy, 'safebot', policy)
      for (let calls = 0; calls < 50; calls++) await call(agent, 'claim_task', { url: 'x' })
    }
    await loop(NAIVE)
    expect(reached(understudy, 'claim_task')).toBe(50)
    await loop(STRICT)
    expect(reached(understudy, 'claim_task')).toBe(50 + 30)
  })

  it('polls nothing if the polling tool is hidden', async () => {
    const understudy = await underAttack('runaway-tool-loops')
    const naive = await agentBehind(understudy, 'safebot', NAIVE)
    expect(textOf(await call(naive, 'next_task', { url: 'x' }))).toContain('call next_task again')
    const strict = await agentBehind(understudy, 'safebot', STRICT)
    expect(await refused(strict, 'next_task', { url: 'x' })).toContain('is hidden by policy')
    expect(reached(understudy, 'next_task')).toBe(1)
  })
})
