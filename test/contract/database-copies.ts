import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { DatabaseProvider, DatabaseSpec } from '../../servers/instanode/databases/provider.js'
import { codeOf, connected, freshSpec, MB, type TestClient } from '../support/databases.js'

/**
 * How every provider copies databases and puts them back.
 *
 * @param start a provider
 */
export function describeDatabaseCopies(name: string, start: () => Promise<DatabaseProvider>): void {
  describe(`${name}: copies of databases`, () => {
    let provider: DatabaseProvider
    const clients: TestClient[] = []

    beforeAll(async () => {
      provider = await start()
    }, 60_000)
    afterEach(async () => {
      await Promise.all(clients.splice(0).map(client => client.end()))
    })
    afterAll(() => provider.close())

    const connect = async (url: string) => {
      const client = await connected(url)
      clients.push(client)
      return client
    }
    /** A database with a table of notes that says one thing. */
    const noted = async (note: string, spec: DatabaseSpec = freshSpec()) => {
      const { url } = await provider.provision(spec)
      const client = await connected(url)
      await client.query('CREATE TABLE notes (body text)')
      await client.query('INSERT INTO notes VALUES ($1)', [note])
      await client.end()
      return { name: spec.name, spec, url }
    }
    const notes = async (url: string) => {
      const client = await connect(url)
      return (await client.query('SELECT body FROM notes')).rows.map(({ body }) => body)
    }

    it('brings back what was in them, and ends the sessions of those that are there: 57P01', async () => {
      const one = await noted('one')
      const copies = await provider.copy([one.name])
      const client = await connect(one.url)
      await client.query(`INSERT INTO notes VALUES ('later')`)
      await provider.putBack(copies)
      expect(await client.ended).toBe('57P01')
      expect(await notes(one.url)).toEqual(['one'])
    })

    it('brings back one that was dropped, with its owner, password and limits', async () => {
      const one = await noted('one', freshSpec({ connections: 1 }))
      const copies = await provider.copy([one.name])
      await provider.drop(one.name)
      expect(await codeOf(connected(one.url))).toMatch(/^28/)
      await provider.putBack(copies)
      expect(await notes(one.url)).toEqual(['one'])
      expect(await codeOf(connected(one.url))).toBe('53300')
    })

    it('brings back limits that were raised', async () => {
      const one = await noted('one', freshSpec({ connections: 1 }))
      const copies = await provider.copy([one.name])
      await provider.setLimits(one.name, { storageBytes: 50 * MB, connections: 5 })
      await provider.putBack(copies)
      await connect(one.url)
      expect(await codeOf(connected(one.url))).toBe('53300')
    })

    it('brings back that an owner is locked out, and that it is not', async () => {
      const [free, locked] = [await noted('free'), await noted('locked')]
      await provider.block(locked.name)
      const copies = await provider.copy([free.name, locked.name])
      await provider.block(free.name)
      await provider.putBack(copies)
      expect(await notes(free.url)).toEqual(['free'])
      expect(await codeOf(connected(locked.url))).toBe('42501')
    })

    it('can be put back twice, and what changes in between does not change them', async () => {
      const one = await noted('one')
      const copies = await provider.copy([one.name])
      for (const note of ['two', 'three']) {
        const client = await connected(one.url)
        await client.query('UPDATE notes SET body = $1', [note])
        await client.end()
        await provider.putBack(copies)
        expect(await notes(one.url)).toEqual(['one'])
        await Promise.all(clients.splice(0).map(open => open.end()))
      }
    })

    it('leaves databases alone that were not copied, and passes over those that are none', async () => {
      const [copied, other] = [await noted('copied'), await noted('other')]
      const copies = await provider.copy([copied.name, 'db_000000000000'])
      expect(copies.names).toEqual([copied.name])
      const client = await connect(other.url)
      await provider.putBack(copies)
      expect(await client.value('SELECT body FROM notes')).toBe('other')
    })

    it('are refused by name once they are forgotten, and nothing changes', async () => {
      const one = await noted('one')
      const copies = await provider.copy([one.name])
      await provider.forget(copies)
      await provider.forget(copies)
      expect(await codeOf(provider.putBack(copies))).toBe('unknown_copies')
      expect(await notes(one.url)).toEqual(['one'])
      await provider.drop(one.name)
    })
  })
}
