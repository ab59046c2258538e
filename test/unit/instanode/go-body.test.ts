import { describe, expect, it } from 'vitest'
import { decodeLikeGo, readField } from '../../../servers/instanode/http/body.js'

const read = (body: string) => readField(Buffer.from(body), 'token')

describe('one field of a body, as Go decodes it', () => {
  it.each([
    ['{"token":"a"}', 'a'],
    [' \t\r\n{ "token" : "a" , "x" : [ 1 , { "token" : "b" } ] } ', 'a'],
    ['{"TOKEN":"a"}', 'a'],
    ['{"to\u212aen":"a"}', 'a'],
    ['{"token":"a","token":"b"}', 'b'],
    ['{"TOKEN":"a","token":"b","Token":"c"}', 'c'],
    ['{"token":"a","token":null}', 'a'],
    ['{"token":"\\"}]"}', '"}]'],
    ['{"token":"a"}}', 'a'],
    ['{"token":"a"}\u0000', 'a'],
    ['null', ''],
    ['nullnull', ''],
    ['{}', ''],
    ['{"token":null}', ''],
    ['{"tokens":"a"}', ''],
  ])('%j is %j', (body, text) => {
    expect(read(body)).toEqual({ text, decoded: true })
  })

  // fidelity instanode/names, same: Broken JSON and JSON of another type cannot be decoded.
  it.each([
    '',
    ' ',
    '[]',
    '"a"',
    '7',
    '-0.5e+3',
    'true',
    'x',
    '{',
    '{"token"',
    '{"token":"a',
    '{"token":"a"',
    "{'token':1}",
    '{"a" 1}',
    '{"token":"\n"}',
    '{"token":"\\x"}',
    '\ufeff{}',
  ])('%j cannot be decoded', body => {
    expect(read(body)).toEqual({ text: '', decoded: false })
  })

  it('keeps what came before a value of the wrong type, and reports the value', () => {
    expect(read('{"token":"a","token":{}}')).toEqual({ text: 'a', decoded: false })
  })

  it('can have 10,000 levels, and no more', () => {
    const nested = (depth: number) => `{"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)},"token":"a"}`
    expect(read(nested(10_000))).toEqual({ text: 'a', decoded: true })
    expect(read(nested(10_001))).toEqual({ text: '', decoded: false })
  })

  it('decodes a mebibyte of escapes quickly', () => {
    expect(read(`{"token":"${'\\n'.repeat(500_000)}"}`).text).toHaveLength(500_000)
    expect(read('"'.repeat(1_000_000)).decoded).toBe(false)
    expect(read('['.repeat(1_000_000)).decoded).toBe(false)
  })
})

describe('bytes as Go reads them', () => {
  // fidelity instanode/names, same: Broken UTF-8 becomes U+FFFD for each byte, as in Go.
  it.each([
    [[0x61, 0xc3, 0xa9], 'aé'],
    [[0x61, 0xff, 0x62], 'a\ufffdb'],
    [[0xe2, 0x82], '\ufffd\ufffd'],
    [[0xe2, 0x82, 0x61], '\ufffd\ufffda'],
    [[0xf0, 0x9f, 0x8e, 0xad, 0x80], '🎭\ufffd'],
    [[0xc0, 0x80], '\ufffd\ufffd'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    [[], ''],
  ])('%j is %j', (bytes, text) => {
    expect(decodeLikeGo(Buffer.from(bytes))).toBe(text)
  })
})
