import { expect, test } from 'vitest'
import { defined } from '../../../shared/util/objects.js'

test('removes the members that are undefined, and no other', () => {
  const values: { name: string; port: number | undefined; host: string | null } = {
    name: '',
    port: undefined,
    host: null,
  }
  expect(Object.keys(defined(values))).toEqual(['name', 'host'])
})
