import { describe, expect, it } from 'vitest'
import type { DatabaseProvider, DatabaseSpec } from '../../servers/instanode/databases/provider.js'
import { codeOf, connected, freshSpec, MB } from '../support/databases/databases.js'
import { ProviderInUse } from './provider-in-use.js'

/**
 * How every provider copies databases and puts them back.
 *
 * @param start a provider
 */
export function describeDatabaseCopies(name: string, start: () => Promise<DatabaseProvider>): void {
  describe(`${name}: copies of databases`, () => {
    const inUse = new ProviderInUse(start)
    const connect = (url: string) => inUse.connect(url)
    /** A database with a table of notes that says one thing. */
    const noted = async (note: string, spec: DatabaseSpec = freshSpec()) => {
      const { url } = await inUse.provider.provision(spec)
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

    it('brings back the content of the databases, and ends their open sessions with 57P01', async () => {
      const one = await noted('one')
      const copies = await inUse.provider.copy([one.name])
      const client = await connect(one.url)
      await client.query(`INSERT INTO notes VALUES ('later')`)
      await inUse.provider.putBack(copies)
      expect(await client.ended).toBe('57P01')
      expect(await notes(one.url)).toEqual(['one'])
    })

    it('brings back one that was dropped, with its owner, password and limits', async () => {
      const one = await noted('one', freshSpec({ connections: 1 }))
      const copies = await inUse.provider.copy([one.name])
      await inUse.provider.drop(one.name)
      expect(await codeOf(connected(one.url))).toMatch(/^28/)
      await inUse.provider.putBack(copies)
      expect(await notes(one.url)).toEqual(['one'])
      expect(await codeOf(connected(one.url))).toBe('53300')
    })

    it('brings back limits that were raised', async () => {
      const one = await noted('one', freshSpec({ connections: 1 }))
      const copies = await inUse.provider.copy([one.name])
      await inUse.provider.setLimits(one.name, { storageBytes: 50 * MB, connections: 5 })
      await inUse.provider.putBack(copies)
      await connect(one.url)
      expect(await codeOf(connected(one.url))).toBe('53300')
    })

    it('brings back that an owner is locked out, and that it is not', async () => {
      const [free, locked] = [await noted('free'), await noted('locked')]
      await inUse.provider.block(locked.name)
      const copies = await inUse.provider.copy([free.name, locked.name])
      await inUse.provider.block(free.name)
      await inUse.provider.putBack(copies)
      expect(await notes(free.url)).toEqual(['free'])
      expect(await codeOf(connected(locked.url))).toBe('42501')
    })

    it('can be put back twice, and what changes in between does not change them', async () => {
      const one = await noted('one')
      const copies = await inUse.provider.copy([one.name])
      for (const note of ['two', 'three']) {
        const client = await connected(one.url)
        await client.query('UPDATE notes SET body = $1', [note])
        await client.end()
        await inUse.provider.putBack(copies)
        expect(await notes(one.url)).toEqual(['one'])
        await inUse.disconnect()
      }
    })

    it('leaves databases alone that were not copied, and passes over those that are none', async () => {
      const [copied, other] = [await noted('copied'), await noted('other')]
      const copies = await inUse.provider.copy([copied.name, 'db_000000000000'])
      expect(copies.names).toEqual([copied.name])
      const client = await connect(other.url)
      await inUse.provider.putBack(copies)
      expect(await client.value('SELECT body FROM notes')).toBe('other')
    })

    it('are refused by name once they are forgotten, and nothing changes', async () => {
      const one = await noted('one')
      const copies = await inUse.provider.copy([one.name])
      await inUse.provider.forget(copies)
      await inUse.provider.forget(copies)
      expect(await codeOf(inUse.provider.putBack(copies))).toBe('unknown_copies')
      expect(await notes(one.url)).toEqual(['one'])
      await inUse.provider.drop(one.name)
    })
  })
}
