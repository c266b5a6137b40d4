-- Functions that translated queries call. All angles are degrees. Every function but the random one is pure, so that indexes and workers may use it.
-- A shape is an array: two numbers are a position, three a circle (ra, dec, radius), more the vertices of a polygon, counter-clockwise.
-- What lies within 1e-10 degrees (0.4 microarcseconds) of an edge lies on it. Of a shape with a NaN nothing is known: predicates are NULL.

CREATE OR REPLACE FUNCTION vo.haversine(ra1 float8, dec1 float8, ra2 float8, dec2 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT power(sin(radians(dec1 - dec2) / 2), 2) + cos(radians(dec1)) * cos(radians(dec2)) * power(sin(radians(ra1 - ra2) / 2), 2) $$;
COMMENT ON FUNCTION vo.haversine IS 'squared sine of half the angle between two positions';

CREATE OR REPLACE FUNCTION vo.distance(ra1 float8, dec1 float8, ra2 float8, dec2 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN ra1 IS NOT NULL AND dec1 IS NOT NULL AND ra2 IS NOT NULL AND dec2 IS NOT NULL  -- greatest() would pass over NULL
     THEN 2 * degrees(asin(sqrt(-greatest(-1.0::float8, -vo.haversine(ra1, dec1, ra2, dec2))))) END $$;  -- written so that NaN stays NaN
COMMENT ON FUNCTION vo.distance IS 'angle between two positions';

CREATE OR REPLACE FUNCTION vo.mod(x float8, y float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN abs(x) < abs(y) THEN x ELSE x - y * trunc(x / y) END $$;
COMMENT ON FUNCTION vo.mod IS 'remainder with the sign of x';

CREATE OR REPLACE FUNCTION vo.round(x float8, places int) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN places = 0 THEN sign(x) * floor(abs(x) + 0.5)
     WHEN places > 290 THEN x
     WHEN places > 0 AND abs(x) >= 4503599627370496 / power(10.0::float8, places) THEN x
     WHEN places < -308 OR places < 0 AND abs(x) < power(10.0::float8, -places) / 2 THEN 0 * sign(x)
     WHEN places < 0 THEN sign(x) * floor(abs(x) / power(10.0::float8, -places) + 0.5) * power(10.0::float8, -places)
     ELSE sign(x) * floor(abs(x) * power(10.0::float8, places) + 0.5) / power(10.0::float8, places)
   END $$;
COMMENT ON FUNCTION vo.round IS 'nearest number with so many decimal places, halves away from zero';

CREATE OR REPLACE FUNCTION vo.truncate(x float8, places int) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN places = 0 THEN trunc(x)
     WHEN places > 290 THEN x
     WHEN places > 0 AND abs(x) >= 4503599627370496 / power(10.0::float8, places) THEN x
     WHEN places < -308 OR places < 0 AND abs(x) < power(10.0::float8, -places) THEN 0 * sign(x)
     WHEN places < 0 THEN trunc(x / power(10.0::float8, -places)) * power(10.0::float8, -places)
     ELSE trunc(x * power(10.0::float8, places)) / power(10.0::float8, places)
   END $$;
COMMENT ON FUNCTION vo.truncate IS 'number cut after so many decimal places';

CREATE OR REPLACE FUNCTION vo.position(x float8, y float8, z float8) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT ARRAY[turn + CASE WHEN turn < 0 THEN 360 ELSE 0 END, degrees(atan2(z, sqrt(x * x + y * y)))]
   FROM (SELECT degrees(atan2(y, x)) AS turn) AS t $$;
COMMENT ON FUNCTION vo.position IS 'longitude (0 to 360) and latitude of a vector of any length';

CREATE OR REPLACE FUNCTION vo.whole(shape float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN array_position(shape, NULL) IS NULL THEN shape END $$;
COMMENT ON FUNCTION vo.whole IS 'a shape, or NULL if one of its numbers is NULL';

CREATE OR REPLACE FUNCTION vo.vectors(shape float8[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  found float8[] := '{}';
BEGIN
  FOR i IN 1 .. array_length(shape, 1) / 2 LOOP
    found := found || ARRAY[
      cos(radians(shape[2 * i])) * cos(radians(shape[2 * i - 1])),
      cos(radians(shape[2 * i])) * sin(radians(shape[2 * i - 1])),
      sin(radians(shape[2 * i]))];
  END LOOP;
  RETURN found;
END
$$;
COMMENT ON FUNCTION vo.vectors IS 'unit vectors of the vertices of a polygon, one after the other';

CREATE OR REPLACE FUNCTION vo.moments(shape float8[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  v float8[] := vo.vectors(shape);
  n int := array_length(v, 1);
  area float8 := 0;
  x float8 := 0; y float8 := 0; z float8 := 0;
  ax float8; ay float8; az float8; bx float8; "by" float8; bz float8; ux float8; uy float8; uz float8; nx float8; ny float8; nz float8;
  size float8; factor float8;
  px float8 := v[1]; py float8 := v[2]; pz float8 := v[3];
BEGIN
  bx := v[n - 2]; "by" := v[n - 1]; bz := v[n];
  FOR i IN 1 .. n / 3 LOOP
    ax := bx; ay := "by"; az := bz;
    bx := v[3 * i - 2]; "by" := v[3 * i - 1]; bz := v[3 * i];
    ux := bx - ax; uy := "by" - ay; uz := bz - az;   -- products of differences keep their digits where vertices are close
    nx := ay * uz - az * uy; ny := az * ux - ax * uz; nz := ax * uy - ay * ux;
    size := sqrt(nx * nx + ny * ny + nz * nz);
    IF size > 0 THEN
      factor := atan2(size, ax * bx + ay * "by" + az * bz) / size;
      x := x + factor * nx; y := y + factor * ny; z := z + factor * nz;
      area := area + 2 * atan2(
        (px - ax) * nx + (py - ay) * ny + (pz - az) * nz,
        1 + ax * px + ay * py + az * pz + bx * px + "by" * py + bz * pz + ax * bx + ay * "by" + az * bz);
    END IF;
  END LOOP;
  RETURN ARRAY[area - 4 * pi() * round(area / (4 * pi())), x, y, z];
END
$$;
COMMENT ON FUNCTION vo.moments IS 'solid angle (steradians) of the smaller side of a polygon, positive if it lies to the left, and the vector to its middle';

CREATE OR REPLACE FUNCTION vo.polygon(shape float8[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  n int := array_length(shape, 1);
  area float8;
  turned float8[] := '{}';
BEGIN
  IF coalesce(n, 0) < 6 OR array_position(shape, NULL) IS NOT NULL OR 'NaN' = ANY (shape) OR n % 2 = 1 THEN
    RETURN NULL;
  END IF;
  IF vo.haversine(shape[1], shape[2], shape[n - 1], shape[n]) < 1e-26 THEN
    n := n - 2;
    shape := shape[:n];
  END IF;
  area := (vo.moments(shape))[1];
  IF n < 6 OR abs(area) < 1e-18 OR abs(abs(area) - 2 * pi()) < 1e-9 THEN
    RETURN NULL;
  ELSIF area > 0 THEN
    RETURN shape;
  END IF;
  FOR i IN REVERSE n / 2 .. 1 LOOP
    turned := turned || shape[2 * i - 1 : 2 * i];
  END LOOP;
  RETURN turned;
END
$$;
COMMENT ON FUNCTION vo.polygon IS 'a polygon with its smaller side to the left of its edges, without a closing vertex; NULL if there is none';

CREATE OR REPLACE FUNCTION vo.box(ra float8, "dec" float8, width float8, height float8) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  found float8[] := '{}';
  a float8;
  b float8;
BEGIN
  IF NOT (width > 0 AND width < 180 AND height > 0 AND height < 180) OR ra = 'NaN' OR "dec" = 'NaN' THEN
    RETURN NULL;
  END IF;
  FOR i IN 0 .. 3 LOOP
    a := tan(radians(width) / 2) * (CASE WHEN i IN (0, 3) THEN -1 ELSE 1 END);
    b := tan(radians(height) / 2) * (CASE WHEN i < 2 THEN -1 ELSE 1 END);
    found := found || vo.position(
      cos(radians("dec")) * cos(radians(ra)) - a * sin(radians(ra)) - b * sin(radians("dec")) * cos(radians(ra)),
      cos(radians("dec")) * sin(radians(ra)) + a * cos(radians(ra)) - b * sin(radians("dec")) * sin(radians(ra)),
      sin(radians("dec")) + b * cos(radians("dec")));
  END LOOP;
  RETURN found;
END
$$;
COMMENT ON FUNCTION vo.box IS 'the polygon of BOX: sides at right angles on the arms of a cross; NULL unless both sizes lie between 0 and 180';

CREATE OR REPLACE FUNCTION vo.region(words text) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  parts text[] := regexp_match(words, '^\s*([A-Za-z]+)((?:\s+[A-Za-z][A-Za-z0-9]*)*)((?:\s+[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?)+)\s*$');
  n float8[] := (string_to_array(regexp_replace(parts[3], '\s+', ' ', 'g'), ' '))[2:]::float8[];
BEGIN
  IF upper(parts[2]) ~ 'GALACTIC|ECLIPTIC|FK4|B1950' THEN
    RETURN NULL;
  END IF;
  RETURN CASE
    WHEN upper(parts[1]) = 'POSITION' AND array_length(n, 1) = 2 THEN n
    WHEN upper(parts[1]) = 'CIRCLE' AND array_length(n, 1) = 3 THEN n
    WHEN upper(parts[1]) = 'BOX' AND array_length(n, 1) = 4 THEN vo.box(n[1], n[2], n[3], n[4])
    WHEN upper(parts[1]) = 'POLYGON' AND array_length(n, 1) >= 6 THEN vo.polygon(n)
  END;
END
$$;
COMMENT ON FUNCTION vo.region IS 'the shape of a region in STC-S (ICRS): Position, Circle, Box or Polygon; NULL for anything else';

CREATE OR REPLACE FUNCTION vo.moc(words text) RETURNS int8multirange
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000 AS
$$
DECLARE
  tidy text := btrim(regexp_replace(words, '[\s,]+', ' ', 'g'));
  parts text[] := string_to_array(tidy, '/');  -- the last word of each is the order of the next
  cell_order int;
  shift int;
  cells text[];
  spans int8multirange := '{}';
BEGIN
  IF tidy !~ '^s?[0-9]{1,2}/( ?[0-9]{1,19}(-[0-9]{1,19})?| s?[0-9]{1,2}/)*$' THEN
    RETURN NULL;
  END IF;
  FOR i IN 2 .. array_length(parts, 1) LOOP
    cell_order := ltrim(regexp_replace(parts[i - 1], '^.* ', ''), 's');
    shift := 2 * (29 - cell_order);
    cells := string_to_array(btrim(CASE WHEN i < array_length(parts, 1) THEN regexp_replace(parts[i], '(^| )[^ ]*$', '') ELSE parts[i] END), ' ');
    IF cell_order > 29 OR (
      SELECT bool_or(split_part(cell, '-', 1)::numeric > split_part(cell, '-', -1)::numeric
        OR split_part(cell, '-', -1)::numeric >= 12 * 4::numeric ^ cell_order)
      FROM unnest(cells) AS cell
    ) THEN
      RETURN NULL;
    END IF;
    spans := spans + coalesce((
      SELECT range_agg(int8range(split_part(cell, '-', 1)::bigint << shift, (split_part(cell, '-', -1)::bigint + 1) << shift))
      FROM unnest(cells) AS cell
    ), '{}');
  END LOOP;
  RETURN spans;
END
$$;
COMMENT ON FUNCTION vo.moc IS 'cells of order 29 of a MOC of the sky in ASCII (3/12 14-17 4/200); NULL for anything else';

CREATE OR REPLACE FUNCTION vo.shape_of_text(words text, kind text) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  n float8[];
BEGIN
  IF words !~ '^\s*([-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?(\s+|$))+$' THEN
    RETURN NULL;
  END IF;
  n := string_to_array(btrim(regexp_replace(words, '\s+', ' ', 'g')), ' ')::float8[];
  RETURN CASE
    WHEN kind = 'point' AND array_length(n, 1) = 2 THEN n
    WHEN kind = 'circle' AND array_length(n, 1) = 3 THEN n
    WHEN kind = 'polygon' AND array_length(n, 1) >= 6 THEN vo.polygon(n)
  END;
END
$$;
COMMENT ON FUNCTION vo.shape_of_text IS 'the point, circle or polygon that numbers in words are; NULL for anything else';

CREATE OR REPLACE FUNCTION vo.shape_area(shape float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN array_length(shape, 1) = 2 THEN 0
     WHEN array_length(shape, 1) = 3 THEN power(360 / pi(), 2) * pi() * power(sin(radians(least(shape[3], 180)) / 2), 2)
     ELSE power(180 / pi(), 2) * (vo.moments(shape))[1]
   END $$;
COMMENT ON FUNCTION vo.shape_area IS 'area of a shape in square degrees';

CREATE OR REPLACE FUNCTION vo.shape_centroid(shape float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN array_length(shape, 1) <= 3 THEN shape[1:2] ELSE (SELECT vo.position(m[2], m[3], m[4]) FROM (SELECT vo.moments(shape)) AS x (m)) END $$;
COMMENT ON FUNCTION vo.shape_centroid IS 'the middle of a shape (of a polygon: its centre of mass)';

CREATE OR REPLACE FUNCTION vo.signed_distance(shape float8[], ra float8, "dec" float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  v float8[];
  n int := array_length(shape, 1);
  px float8 := cos(radians("dec")) * cos(radians(ra));
  py float8 := cos(radians("dec")) * sin(radians(ra));
  pz float8 := sin(radians("dec"));
  ax float8; ay float8; az float8; bx float8; "by" float8; bz float8;  -- an edge from a to b
  ux float8; uy float8; uz float8; sx float8; sy float8; sz float8;    -- from a to b, from a to the position
  nx float8; ny float8; nz float8; mx float8; my float8; mz float8;    -- normals to the left of this edge and the one before
  size float8; distance float8;
  nearest float8 := 400;
  inside boolean;
BEGIN
  IF ra = 'NaN' OR "dec" = 'NaN' OR 'NaN' = ANY (shape) THEN
    RETURN NULL;
  ELSIF n <= 3 THEN
    RETURN vo.distance(shape[1], shape[2], ra, "dec") - (CASE n WHEN 3 THEN shape[3] ELSE 0 END);
  END IF;
  v := vo.vectors(shape);
  n := array_length(v, 1);
  ax := v[n - 5]; ay := v[n - 4]; az := v[n - 3];
  bx := v[n - 2]; "by" := v[n - 1]; bz := v[n];
  ux := bx - ax; uy := "by" - ay; uz := bz - az;
  nx := ay * uz - az * uy; ny := az * ux - ax * uz; nz := ax * uy - ay * ux;
  FOR i IN 1 .. n / 3 LOOP
    ax := bx; ay := "by"; az := bz; mx := nx; my := ny; mz := nz;
    bx := v[3 * i - 2]; "by" := v[3 * i - 1]; bz := v[3 * i];
    ux := bx - ax; uy := "by" - ay; uz := bz - az;
    nx := ay * uz - az * uy; ny := az * ux - ax * uz; nz := ax * uy - ay * ux;
    size := sqrt(nx * nx + ny * ny + nz * nz);
    sx := px - ax; sy := py - ay; sz := pz - az;
    -- before the edge begins: its first vertex is nearest; behind its end: the next edge's turn
    IF sx * (ny * az - nz * ay) + sy * (nz * ax - nx * az) + sz * (nx * ay - ny * ax) < 0 THEN
      distance := 2 * asin(least(1, sqrt(sx * sx + sy * sy + sz * sz) / 2));
      IF distance < nearest THEN
        nearest := distance;
        inside := mx * ux + my * uy + mz * uz < 0;  -- where the outline turns right, the inside lies beyond the vertex
      END IF;
    ELSIF size > 0 AND px * ("by" * nz - bz * ny) + py * (bz * nx - bx * nz) + pz * (bx * ny - "by" * nx) >= 0 THEN
      distance := asin(greatest(-1, least(1, (sx * nx + sy * ny + sz * nz) / size)));
      IF abs(distance) < nearest THEN
        nearest := abs(distance);
        inside := distance > 0;
      END IF;
    END IF;
  END LOOP;
  RETURN degrees(CASE WHEN inside THEN -nearest ELSE nearest END);
END
$$;
COMMENT ON FUNCTION vo.signed_distance IS 'angle from a position to the nearest point of the edge of a shape; negative inside';

CREATE OR REPLACE FUNCTION vo.shape_contains_point(shape float8[], ra float8, "dec" float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN array_length(shape, 1) = 3 AND shape[3] >= 180 THEN vo.signed_distance(shape, ra, "dec") IS NOT NULL
     ELSE vo.signed_distance(shape, ra, "dec") <= 1e-10
   END $$;
COMMENT ON FUNCTION vo.shape_contains_point IS 'whether a position lies in a shape or on its edge';

CREATE OR REPLACE FUNCTION vo.shape_intersects_circle(shape float8[], ra float8, "dec" float8, radius float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT radius >= 0 AND vo.signed_distance(shape, ra, "dec") - radius <= 1e-10 $$;
COMMENT ON FUNCTION vo.shape_intersects_circle IS 'whether a shape and a circle have a point in common';

CREATE OR REPLACE FUNCTION vo.shape_inside_circle(shape float8[], ra float8, "dec" float8, radius float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN radius >= 180 THEN shape IS NOT NULL
     WHEN array_length(shape, 1) = 2 THEN vo.distance(shape[1], shape[2], ra, "dec") <= radius + 1e-10
     WHEN array_length(shape, 1) = 3 THEN vo.distance(shape[1], shape[2], ra, "dec") + shape[3] <= radius + 1e-10
     WHEN radius > 90 THEN vo.signed_distance(shape, ra + 180, -"dec") >= 180 - radius - 1e-10
     ELSE (SELECT bool_and(vo.distance(shape[i], shape[i + 1], ra, "dec") <= radius + 1e-10) FROM generate_series(1, array_length(shape, 1) - 1, 2) AS i)
   END $$;
COMMENT ON FUNCTION vo.shape_inside_circle IS 'whether all of a shape lies in a circle';

CREATE OR REPLACE FUNCTION vo.edges_cross(one float8[], other float8[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  p float8[] := vo.vectors(one);
  q float8[] := vo.vectors(other);
  m int := array_length(one, 1) / 2;
  n int := array_length(other, 1) / 2;
  ax float8; ay float8; az float8; bx float8; "by" float8; bz float8; nx float8; ny float8; nz float8; near float8;
  cx float8; cy float8; cz float8; dx float8; dy float8; dz float8; ux float8; uy float8; uz float8;
  side_c float8; side_d float8; side_a float8; side_b float8;
BEGIN
  FOR i IN 0 .. m - 1 LOOP
    ax := p[3 * i + 1]; ay := p[3 * i + 2]; az := p[3 * i + 3];
    bx := p[3 * ((i + 1) % m) + 1]; "by" := p[3 * ((i + 1) % m) + 2]; bz := p[3 * ((i + 1) % m) + 3];
    nx := ay * (bz - az) - az * ("by" - ay); ny := az * (bx - ax) - ax * (bz - az); nz := ax * ("by" - ay) - ay * (bx - ax);
    near := 1e-12 * sqrt(nx * nx + ny * ny + nz * nz);
    FOR j IN 0 .. n - 1 LOOP
      cx := q[3 * j + 1]; cy := q[3 * j + 2]; cz := q[3 * j + 3];
      dx := q[3 * ((j + 1) % n) + 1]; dy := q[3 * ((j + 1) % n) + 2]; dz := q[3 * ((j + 1) % n) + 3];
      side_c := (cx - ax) * nx + (cy - ay) * ny + (cz - az) * nz;
      side_d := (dx - ax) * nx + (dy - ay) * ny + (dz - az) * nz;
      IF side_c > near AND side_d < -near OR side_c < -near AND side_d > near THEN
        ux := cy * (dz - cz) - cz * (dy - cy); uy := cz * (dx - cx) - cx * (dz - cz); uz := cx * (dy - cy) - cy * (dx - cx);
        side_a := (ax - cx) * ux + (ay - cy) * uy + (az - cz) * uz;
        side_b := (bx - cx) * ux + ("by" - cy) * uy + (bz - cz) * uz;
        IF least(abs(side_a), abs(side_b)) > 1e-12 * sqrt(ux * ux + uy * uy + uz * uz)
           AND side_c * side_b > 0 AND side_c * side_a < 0 THEN
          RETURN true;
        END IF;
      END IF;
    END LOOP;
  END LOOP;
  RETURN false;
END
$$;
COMMENT ON FUNCTION vo.edges_cross IS 'whether an edge of one polygon goes through one of the other, not only up to it';

CREATE OR REPLACE FUNCTION vo.shapes_intersect(one float8[], other float8[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT CASE
     WHEN 'NaN' = ANY (one || other) THEN NULL
     WHEN array_length(one, 1) <= 3 THEN vo.shape_intersects_circle(other, one[1], one[2], coalesce(one[3], 0))
     WHEN array_length(other, 1) <= 3 THEN vo.shape_intersects_circle(one, other[1], other[2], coalesce(other[3], 0))
     ELSE (SELECT bool_or(vo.shape_contains_point(other, one[i], one[i + 1])) FROM generate_series(1, array_length(one, 1) - 1, 2) AS i)
       OR (SELECT bool_or(vo.shape_contains_point(one, other[i], other[i + 1])) FROM generate_series(1, array_length(other, 1) - 1, 2) AS i)
       OR vo.edges_cross(one, other)
   END $$;
COMMENT ON FUNCTION vo.shapes_intersect IS 'whether two shapes have a point in common';

CREATE OR REPLACE FUNCTION vo.shape_inside(inner_shape float8[], outer_shape float8[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT CASE
     WHEN 'NaN' = ANY (inner_shape || outer_shape) THEN NULL
     WHEN array_length(outer_shape, 1) <= 3 THEN vo.shape_inside_circle(inner_shape, outer_shape[1], outer_shape[2], coalesce(outer_shape[3], 0))
     WHEN array_length(inner_shape, 1) <= 3 THEN
       vo.signed_distance(outer_shape, inner_shape[1], inner_shape[2]) <= 1e-10 - coalesce(inner_shape[3], 0)
     ELSE (SELECT bool_and(vo.shape_contains_point(outer_shape, inner_shape[i], inner_shape[i + 1]))
           FROM generate_series(1, array_length(inner_shape, 1) - 1, 2) AS i)
       AND NOT vo.edges_cross(inner_shape, outer_shape)
   END $$;
COMMENT ON FUNCTION vo.shape_inside IS 'whether all of one shape lies in another';

-- The next two are stored, in an index and in a column of footprints: who changes what they say writes a migration that computes it anew.

CREATE OR REPLACE FUNCTION vo.shape_cap(shape float8[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  v float8[];
  n int := array_length(shape, 1) / 2;
  x float8 := 0; y float8 := 0; z float8 := 0;
  size float8;
  radius float8 := 0;
  found float8[];
  place int;
BEGIN
  IF 'NaN' = ANY (shape) OR array_length(shape, 1) = 3 AND NOT shape[3] BETWEEN 0 AND 90 THEN
    RETURN NULL;
  END IF;
  v := vo.vectors(shape);
  FOR i IN 1 .. n LOOP
    x := x + v[3 * i - 2]; y := y + v[3 * i - 1]; z := z + v[3 * i];
  END LOOP;
  size := sqrt(x * x + y * y + z * z);
  IF size < 1e-6 THEN
    RETURN NULL;
  END IF;
  x := x / size; y := y / size; z := z / size;
  FOR i IN 1 .. n LOOP
    radius := greatest(radius, 2 * asin(least(1, sqrt(power(x - v[3 * i - 2], 2) + power(y - v[3 * i - 1], 2) + power(z - v[3 * i], 2)) / 2)));
  END LOOP;
  radius := radius + radians(CASE array_length(shape, 1) WHEN 3 THEN shape[3] ELSE 0 END) + 1e-11;
  IF radius > pi() / 2 THEN
    RETURN NULL;
  END IF;
  found := ARRAY[x, y, z, cos(radius), sin(radius)];
  FOR i IN 0 .. least(n, 4) - 1 LOOP
    place := i * n / least(n, 4);
    found := found || v[3 * place + 1 : 3 * place + 3];
  END LOOP;
  RETURN found;
END
$$;
COMMENT ON FUNCTION vo.shape_cap IS 'the cap around a shape: unit vector to its middle, cosine and sine of its radius; then four vertices at most, or the centre of a circle, as unit vectors; NULL if it is more than half of the sky';

CREATE OR REPLACE FUNCTION vo.shape_bounds(shape float8[]) RETURNS box
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  pad CONSTANT float8 := 1e-6;
  n int := array_length(shape, 1);
  v float8[];
  west float8; east float8; south float8; north float8;
  turn float8; wider float8; along float8; height float8;
  ax float8; ay float8; az float8; bx float8; "by" float8; bz float8; ux float8; uy float8; uz float8;
BEGIN
  IF 'NaN' = ANY (shape) THEN
    RETURN NULL;
  ELSIF n <= 3 THEN
    wider := CASE n WHEN 3 THEN shape[3] ELSE 0 END;
    IF wider < 0 THEN
      RETURN NULL;
    END IF;
    south := shape[2] - wider; north := shape[2] + wider;
    IF greatest(north, -south) < 89.9 THEN
      wider := degrees(asin(least(1, sin(radians(wider)) / cos(radians(shape[2])))));
      west := shape[1] - wider; east := shape[1] + wider;
    END IF;
  ELSIF vo.shape_cap(shape) IS NULL THEN
    south := -90; north := 90;
  ELSE
    v := vo.vectors(shape);
    bx := v[3 * n / 2 - 2]; "by" := v[3 * n / 2 - 1]; bz := v[3 * n / 2];
    turn := shape[n - 1];
    west := turn; east := turn; south := shape[n]; north := south;
    FOR i IN 1 .. n / 2 LOOP
      ax := bx; ay := "by"; az := bz;
      bx := v[3 * i - 2]; "by" := v[3 * i - 1]; bz := v[3 * i];
      turn := turn + (shape[2 * i - 1] - turn) - 360 * round((shape[2 * i - 1] - turn) / 360);
      west := least(west, turn); east := greatest(east, turn);
      south := least(south, shape[2 * i]); north := greatest(north, shape[2 * i]);
      along := ax * bx + ay * "by" + az * bz;
      IF (bz - az * along) * (az - bz * along) > 0 THEN  -- the edge comes nearer to a pole than its ends do
        ux := bx - ax; uy := "by" - ay; uz := bz - az;
        height := degrees(atan2(sqrt(power(ay * uz - az * uy, 2) + power(az * ux - ax * uz, 2)), abs(ax * uy - ay * ux)));
        IF bz > az * along THEN north := greatest(north, height); ELSE south := least(south, -height); END IF;
      END IF;
    END LOOP;
    -- the inside lies to the left: eastwards around the north pole, westwards around the south pole
    IF turn - shape[n - 1] > 180 OR north >= 89.9 THEN west := NULL; north := 90; END IF;
    IF turn - shape[n - 1] < -180 OR south <= -89.9 THEN west := NULL; south := -90; END IF;
  END IF;
  south := south - pad; north := north + pad;
  IF west IS NOT NULL THEN
    wider := pad / greatest(cos(radians(least(greatest(north, -south), 90))), 1e-3);
    east := east - west + 2 * wider;
    west := west - wider;
    west := west - 360 * floor(west / 360);
    IF east <= 30 THEN
      RETURN box(point(west, south), point(west + east, north));
    END IF;
  END IF;
  RETURN box(point(0, south), point(360, north));
END
$$;
COMMENT ON FUNCTION vo.shape_bounds IS 'right ascensions and declinations of a shape: from 0 to 360 if they are more than 30 degrees of right ascension, else the west side lies between 0 and 360';

-- Functions of the IVOA's catalogue of user defined functions.

CREATE OR REPLACE FUNCTION vo.gather(bits bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
BEGIN
  bits := bits & 6148914691236517205;
  bits := (bits | (bits >> 1)) & 3689348814741910323;
  bits := (bits | (bits >> 2)) & 1085102592571150095;
  bits := (bits | (bits >> 4)) & 71777214294589695;
  bits := (bits | (bits >> 8)) & 281470681808895;
  RETURN (bits | (bits >> 16)) & 4294967295;
END
$$;
COMMENT ON FUNCTION vo.gather IS 'the bits at even places, side by side';

CREATE OR REPLACE FUNCTION vo.healpix_index(cell_order int, ra float8, "dec" float8) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT CASE WHEN cell_order BETWEEN 0 AND 29 THEN vo.healpix(ra, "dec") >> 2 * (29 - cell_order) END $$;
COMMENT ON FUNCTION vo.healpix_index IS 'HEALPix NESTED cell of a position; NULL where there is none';

-- Górski et al. 2005 (ApJ 622, 759, §4.1): the ring of a cell counted from the north pole, and its place on it
CREATE OR REPLACE FUNCTION vo.healpix_center(cell_order int, cell bigint) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  side bigint;
  base int;
  x bigint;
  y bigint;
  ring bigint;
  band bigint;
  turn float8;
  height float8;
BEGIN
  IF NOT cell_order BETWEEN 0 AND 29 OR cell < 0 OR cell >= 12::bigint << 2 * cell_order THEN
    RETURN NULL;
  END IF;
  side := 1::bigint << cell_order;
  base := cell >> 2 * cell_order;
  x := vo.gather(cell & ((1::bigint << 2 * cell_order) - 1));
  y := vo.gather((cell & ((1::bigint << 2 * cell_order) - 1)) >> 1);
  ring := (base / 4 + 2) * side - x - y - 1;
  band := least(ring, side, 4 * side - ring);
  turn := (CASE base / 4 WHEN 1 THEN 2 * (base % 4) ELSE 2 * (base % 4) + 1 END) * band::float8 + (x - y);
  height := CASE
    WHEN band = side THEN degrees(asin((2 * side - ring) * 2 / (3 * side::float8)))
    -- sin of half the distance from the pole
    ELSE sign(2 * side - ring) * (90 - 2 * degrees(asin(band / (side * sqrt(6::float8)))))
  END;
  turn := turn * 45 / band;
  RETURN ARRAY[CASE WHEN turn < 0 THEN turn + 360 ELSE turn END, height];
END
$$;
COMMENT ON FUNCTION vo.healpix_center IS 'centre of a HEALPix NESTED cell; NULL if there is no such cell';

-- Linear motion in space: ESA SP-1200 (The Hipparcos and Tycho Catalogues), vol. 1, §1.5.5
CREATE OR REPLACE FUNCTION vo.epoch_prop(
  ra float8, "dec" float8, parallax float8, pmra float8, pmdec float8, radial_velocity float8, ref_epoch float8, out_epoch float8
) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
$$
DECLARE
  mas CONSTANT float8 := pi() / 648000000;
  au_per_year CONSTANT float8 := 149597870.7 / 31557600;  -- in km/s
  years float8 := out_epoch - ref_epoch;
  right_wards float8 := coalesce(pmra, 0) * mas * years;
  up_wards float8 := coalesce(pmdec, 0) * mas * years;
  out_wards float8 := 1 + coalesce(radial_velocity * greatest(parallax, 0), 0) * mas / au_per_year * years;
  s float8 := sin(radians("dec"));
  c float8 := cos(radians("dec"));
BEGIN
  RETURN vo.whole(vo.position(
    out_wards * c * cos(radians(ra)) - right_wards * sin(radians(ra)) - up_wards * s * cos(radians(ra)),
    out_wards * c * sin(radians(ra)) + right_wards * cos(radians(ra)) - up_wards * s * sin(radians(ra)),
    out_wards * s + up_wards * c));
END
$$;
COMMENT ON FUNCTION vo.epoch_prop IS 'position of a star at another epoch: deg, mas, mas/yr (pmra with cos dec), km/s, Julian years; missing motions are 0';

CREATE OR REPLACE FUNCTION vo.rotate(shape float8[], m float8[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  v float8[] := vo.vectors(shape);
  found float8[] := '{}';
BEGIN
  FOR i IN 0 .. array_length(shape, 1) / 2 - 1 LOOP
    found := found || vo.position(
      m[1] * v[3 * i + 1] + m[2] * v[3 * i + 2] + m[3] * v[3 * i + 3],
      m[4] * v[3 * i + 1] + m[5] * v[3 * i + 2] + m[6] * v[3 * i + 3],
      m[7] * v[3 * i + 1] + m[8] * v[3 * i + 2] + m[9] * v[3 * i + 3]);
  END LOOP;
  RETURN CASE array_length(shape, 1) WHEN 3 THEN found || shape[3] ELSE found END;
END
$$;
COMMENT ON FUNCTION vo.rotate IS 'a shape turned by a matrix (nine numbers, row by row)';

CREATE OR REPLACE FUNCTION vo.mjd(moment timestamp) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT (moment::date - DATE '1858-11-17') + date_part('epoch', moment::time) / 86400 $$;
COMMENT ON FUNCTION vo.mjd IS 'modified Julian date of an instant, whatever its time scale';

CREATE OR REPLACE FUNCTION vo.sexagesimal(words text, first_letter text) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  last CONSTANT text := '([0-9]{1,2}(?:\.[0-9]*)?)';
  parts text[] := coalesce(
    regexp_match(words, '^\s*([-+]?)([0-9]{1,3})[:\s]([0-9]{1,2})[:\s]' || last || '\s*$'),
    regexp_match(words, '^\s*([-+]?)([0-9]{1,3})' || first_letter || '([0-9]{1,2})m' || last || 's\s*$', 'i'),
    regexp_match(words, '^\s*([-+]?)([0-9]{2})([0-9]{2})([0-9]{2}(?:\.[0-9]*)?)\s*$'));
BEGIN
  IF parts[3]::int >= 60 OR parts[4]::float8 >= 60 THEN
    RETURN NULL;
  END IF;
  RETURN (CASE parts[1] WHEN '-' THEN -1 ELSE 1 END) * (parts[2]::float8 + parts[3]::float8 / 60 + parts[4]::float8 / 3600);
END
$$;
COMMENT ON FUNCTION vo.sexagesimal IS 'number in base 60: 1:2:3, 010203 or 1h2m3s with that first letter; NULL for anything else';

CREATE OR REPLACE FUNCTION vo.normal_random(mu float8, sigma float8) RETURNS float8
LANGUAGE sql VOLATILE PARALLEL RESTRICTED AS
$$ SELECT mu + sigma * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) $$;
COMMENT ON FUNCTION vo.normal_random IS 'a normally distributed random number (Box and Muller 1958)';

CREATE OR REPLACE FUNCTION vo.histogram_step(counts int[], val float8, lower float8, upper float8, nbins int) RETURNS int[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
$$
DECLARE
  bin int;
BEGIN
  IF counts IS NULL THEN
    IF nbins BETWEEN 1 AND 1000000 AND upper > lower AND upper < 'Infinity' AND lower > '-Infinity' THEN
      counts := array_fill(0, ARRAY[nbins + 2]);
    ELSE
      RETURN NULL;
    END IF;
  END IF;
  bin := CASE
    WHEN val IS NULL OR val = 'NaN' OR val < lower THEN 1
    WHEN val >= upper THEN nbins + 2
    ELSE width_bucket(val, lower, upper, nbins) + 1
  END;
  counts[bin] := counts[bin] + 1;
  RETURN counts;
END
$$;
COMMENT ON FUNCTION vo.histogram_step IS 'counts one value of a histogram';

CREATE OR REPLACE AGGREGATE vo.histogram(val float8, lower float8, upper float8, nbins int) (SFUNC = vo.histogram_step, STYPE = int[]);
COMMENT ON AGGREGATE vo.histogram(float8, float8, float8, int) IS 'counts of values: below, in each of the bins, above';
