/** Eigenvalues and eigenvectors of a symmetric matrix. */
export interface SymmetricEigen {
  /** Descending, `[size]`. */
  readonly values: Float64Array;
  /** Row `i` is the unit eigenvector of value `i`, `[size, size]`; its largest element is positive. */
  readonly vectors: Float64Array;
}

/** QL steps for one eigenvalue before the solver gives up; two or three are usual. */
const MOST_STEPS = 60;

/**
 * All eigenvalues and eigenvectors of a symmetric matrix, in float64 and O(size³): reflections make
 * it tridiagonal, implicit QL steps diagonal.
 *
 * @see Golub & Van Loan, "Matrix Computations", 4th ed., sections 8.3.1 and 8.3.5
 *
 * @param matrix `[size, size]`, symmetric; the lower triangle is read. It is not changed.
 * @throws {RangeError} If the matrix is not square or not finite.
 */
export function symmetricEigen(matrix: Float64Array, size: number): SymmetricEigen {
  const odd = matrix.find((value) => !Number.isFinite(value));
  if (matrix.length !== size * size || odd !== undefined) {
    throw new RangeError(
      `Cannot find eigenvalues: the matrix must be [${size}, ${size}] of finite numbers, got ${odd ?? `${matrix.length} elements`}`,
    );
  }
  const { diagonal, below, basis } = tridiagonal(matrix, size);
  diagonalize({ diagonal, below, basis });
  const order = Array.from(diagonal, (_, i) => i).toSorted((a, b) => diagonal[b]! - diagonal[a]!);
  const vectors = new Float64Array(size * size);
  order.forEach((from, to) => {
    const vector = basis.subarray(from * size, (from + 1) * size);
    let largest = 0;
    for (const element of vector) if (Math.abs(element) > Math.abs(largest)) largest = element;
    const sign = largest < 0 ? -1 : 1;
    vector.forEach((element, i) => (vectors[to * size + i] = sign * element));
  });
  return { values: Float64Array.from(order, (from) => diagonal[from]!), vectors };
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** `below[i]` stands between `i` and `i + 1`; the last is 0. */
  readonly below: Float64Array;
  /** Rows span the space in which the matrix is tridiagonal. */
  readonly basis: Float64Array;
}

/** Householder reflections `H = I − 2·u·uᵀ`, one a column, each applied from both sides. */
function tridiagonal(matrix: Float64Array, size: number): Tridiagonal {
  const a = matrix.slice();
  for (let i = 0; i < size; i++)
    for (let j = i + 1; j < size; j++) a[i * size + j] = a[j * size + i]!;
  const basis = new Float64Array(size * size);
  for (let i = 0; i < size; i++) basis[i * size + i] = 1;
  const below = new Float64Array(size);
  const [u, p] = [new Float64Array(size), new Float64Array(size)];
  for (let k = 0; k + 1 < size; k++) {
    let squares = 0;
    for (let i = k + 1; i < size; i++) squares += a[i * size + k]! ** 2;
    const lead = a[(k + 1) * size + k]!;
    const alpha = lead > 0 ? -Math.sqrt(squares) : Math.sqrt(squares);
    below[k] = alpha;
    // u = column − alpha · e, whose square is 2 · (squares − alpha · lead).
    const norm = Math.sqrt(2 * (squares - alpha * lead));
    if (!(norm > 0)) continue;
    for (let i = k + 1; i < size; i++) u[i] = a[i * size + k]! / norm;
    u[k + 1] = (lead - alpha) / norm;
    reflect(a, { u, p, size, begin: k + 1 });
    for (let column = 0; column < size; column++) p[column] = 0;
    for (let i = k + 1; i < size; i++) addRow(p, { from: basis, row: i, factor: u[i]! });
    for (let i = k + 1; i < size; i++) {
      for (let column = 0; column < size; column++) {
        basis[i * size + column]! -= 2 * u[i]! * p[column]!;
      }
    }
  }
  return {
    diagonal: Float64Array.from({ length: size }, (_, i) => a[i * size + i]!),
    below,
    basis,
  };
}

function addRow(
  to: Float64Array,
  {
    from,
    row,
    factor,
  }: { readonly from: Float64Array; readonly row: number; readonly factor: number },
): void {
  const begin = row * to.length;
  for (let i = 0; i < to.length; i++) to[i]! += factor * from[begin + i]!;
}

/** `A − 2·u·qᵀ − 2·q·uᵀ` with `q = A·u − (uᵀ·A·u)·u`, of the part from `begin` on. */
function reflect(
  a: Float64Array,
  {
    u,
    p,
    size,
    begin,
  }: {
    readonly u: Float64Array;
    readonly p: Float64Array;
    readonly size: number;
    readonly begin: number;
  },
): void {
  let inner = 0;
  for (let i = begin; i < size; i++) {
    let sum = 0;
    for (let j = begin; j < size; j++) sum += a[i * size + j]! * u[j]!;
    p[i] = sum;
    inner += sum * u[i]!;
  }
  for (let i = begin; i < size; i++) p[i]! -= inner * u[i]!;
  for (let i = begin; i < size; i++) {
    for (let j = begin; j < size; j++) {
      a[i * size + j]! -= 2 * (u[i]! * p[j]! + p[i]! * u[j]!);
    }
  }
}

/** Implicit QL with Wilkinson's shift; rotates the rows of the basis along. */
function diagonalize({ diagonal: d, below: e, basis }: Tridiagonal): void {
  const size = d.length;
  for (let first = 0; first < size; first++) {
    for (let step = 0; ; step++) {
      const last = endOfBlock(d, e, first);
      if (last === first) break;
      if (step === MOST_STEPS) {
        throw new Error(`Cannot find eigenvalue ${first}: it must be found in ${MOST_STEPS} steps`);
      }
      let g = (d[first + 1]! - d[first]!) / (2 * e[first]!);
      const root = Math.hypot(g, 1);
      g = d[last]! - d[first]! + e[first]! / (g + (g < 0 ? -root : root));
      let [sine, cosine, shift] = [1, 1, 0];
      let i = last - 1;
      for (; i >= first; i--) {
        const [f, b] = [sine * e[i]!, cosine * e[i]!];
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= shift; // the block splits here
          break;
        }
        [sine, cosine] = [f / r, g / r];
        const next = d[i + 1]! - shift;
        const twist = (d[i]! - next) * sine + 2 * cosine * b;
        shift = sine * twist;
        d[i + 1] = next + shift;
        g = cosine * twist - b;
        rotateRows(basis, { row: i, size, sine, cosine });
      }
      e[last] = 0;
      if (i >= first) continue;
      d[first]! -= shift;
      e[first] = g;
    }
  }
}

/** Last index of the block from `first` on whose neighbors are still coupled. */
function endOfBlock(d: Float64Array, e: Float64Array, first: number): number {
  let last = first;
  while (last + 1 < d.length) {
    const scale = Math.abs(d[last]!) + Math.abs(d[last + 1]!);
    if (Math.abs(e[last]!) <= Number.EPSILON * scale) break;
    last += 1;
  }
  return last;
}

function rotateRows(
  basis: Float64Array,
  {
    row,
    size,
    sine,
    cosine,
  }: {
    readonly row: number;
    readonly size: number;
    readonly sine: number;
    readonly cosine: number;
  },
): void {
  const [low, high] = [row * size, (row + 1) * size];
  for (let i = 0; i < size; i++) {
    const [a, b] = [basis[low + i]!, basis[high + i]!];
    basis[high + i] = sine * a + cosine * b;
    basis[low + i] = cosine * a - sine * b;
  }
}
