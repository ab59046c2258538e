import { expect, it } from 'vitest'
import { createUnderstudy } from '../../../servers/understudy/index.js'
import { rpc, send } from '../../support/clients/raw-http.js'

const tool = (name: string, args: object) => rpc('tools/call', { name, arguments: args })

/** Every answer of a conversation over HTTP, to the byte, but for the port. */
async function converse(seed: string): Promise<string[]> {
  const understudy = await createUnderstudy({ clock: 'manual', seed })
  try {
    const { mcpUrl, apiUrl } = understudy.safebot
    const answers: string[] = []
    const say = async (handle: string, body: object) => {
      const answer = await send(mcpUrl, { headers: { 'x-safebot-handle': handle }, body })
      answers.push(answer.body.replaceAll(apiUrl, 'http://here'))
      return answer.body
    }
    const made = await say('alice', tool('create_room', {}))
    const url = /http\S+#k=[\w-]+/.exec(made)?.[0]
    await say('alice', tool('send_message', { url, text: 'hello' }))
    await say('bob', tool('claim_task', { url }))
    await understudy.clock.advance(60_001)
    await say('bob', tool('claim_task', { url }))
    await say('alice', tool('get_transcript', { url }))
    return answers
  } finally {
    await understudy.close()
  }
}

it('the same seed and the same calls give the same bytes', async () => {
  expect(await converse('one')).toEqual(await converse('one'))
})

it('another seed gives other bytes', async () => {
  expect(await converse('one')).not.toEqual(await converse('two'))
})
