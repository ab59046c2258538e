import { describe, expect, it } from 'vitest'
import type { DatabaseSpec } from '../../../servers/instanode/databases/provider.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { startInstanode } from '../../support/servers/instanode.js'

/** Databases that take for ever to be made, unless their caller gives up. */
class SlowDatabases extends RecordingDatabases {
  readonly begun: Promise<AbortSignal | undefined>
  #begin: (signal: AbortSignal | undefined) => void = () => {}

  constructor() {
    super()
    this.begun = new Promise(resolve => {
      this.#begin = resolve
    })
  }

  override provision(_spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }> {
    this.#begin(signal)
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(new Error(String(signal.reason))))
    })
  }
}

const aborted = async (signal: AbortSignal | undefined) => {
  if (signal === undefined) throw new Error('the database knows of no caller')
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve))
  return true
}

describe('a caller that disconnects while its database is created', () => {
  it('ends the creation: a cancelled create_postgres', async () => {
    const databases = new SlowDatabases()
    const { client } = await startInstanode({ databases })
    const caller = new AbortController()
    const call = (await client()).callTool(
      { name: 'create_postgres', arguments: { name: 'rows' } },
      undefined,
      { signal: caller.signal },
    )
    const refused = expect(call).rejects.toThrow()
    const signal = await databases.begun
    caller.abort()
    await refused
    expect(await aborted(signal)).toBe(true)
  })

  it('ends the creation: POST /db/new', async () => {
    const databases = new SlowDatabases()
    const { url } = await startInstanode({ databases })
    const caller = new AbortController()
    const call = fetch(new URL('/db/new', url), {
      method: 'POST',
      body: '{"name":"rows"}',
      signal: caller.signal,
    })
    const refused = expect(call).rejects.toThrow()
    const signal = await databases.begun
    caller.abort()
    await refused
    expect(await aborted(signal)).toBe(true)
  })
})
