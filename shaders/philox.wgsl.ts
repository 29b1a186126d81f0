/**
 * WGSL function `philox(counter: vec4u, key: vec2u) -> vec4u`: Philox4x32-10, a random number
 * generator without state. The same counter and key give the same 128 bits on every device, so
 * that what is random depends neither on scheduling nor on what was drawn before.
 *
 * Salmon, Moraes, Dror & Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
 * https://doi.org/10.1145/2063384.2063405
 */
export const PHILOX = `
    const philoxMultipliers = vec2u(0xd2511f53u, 0xcd9e8d57u);
    const philoxKeyIncrements = vec2u(0x9e3779b9u, 0xbb67ae85u);

    // Upper 32 bits of a product of 64, from products of halves.
    fn multiplyHigh(a: vec2u, b: vec2u) -> vec2u {
      let aLow = a & vec2u(0xffffu);
      let aHigh = a >> vec2u(16u);
      let bLow = b & vec2u(0xffffu);
      let bHigh = b >> vec2u(16u);
      let middle = aHigh * bLow + ((aLow * bLow) >> vec2u(16u));
      let carry = (aLow * bHigh + (middle & vec2u(0xffffu))) >> vec2u(16u);
      return aHigh * bHigh + (middle >> vec2u(16u)) + carry;
    }

    fn philox(counter: vec4u, key: vec2u) -> vec4u {
      var c = counter;
      var k = key;
      for (var round = 0u; round < 10u; round++) {
        let high = multiplyHigh(philoxMultipliers, c.xz);
        let low = philoxMultipliers * c.xz;
        c = vec4u(high.y ^ c.y ^ k.x, low.y, high.x ^ c.w ^ k.y, low.x);
        k += philoxKeyIncrements;
      }
      return c;
    }`;
