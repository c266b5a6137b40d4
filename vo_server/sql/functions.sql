-- Functions that translated queries call. All angles are degrees. Every function is pure, so that indexes and workers may use it.
-- A shape is an array: three numbers are a circle (ra, dec, radius), more are the vertices of a polygon, counter-clockwise.

CREATE OR REPLACE FUNCTION vo.haversine(ra1 float8, dec1 float8, ra2 float8, dec2 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT power(sin(radians(dec1 - dec2) / 2), 2) + cos(radians(dec1)) * cos(radians(dec2)) * power(sin(radians(ra1 - ra2) / 2), 2) $$;
COMMENT ON FUNCTION vo.haversine IS 'squared sine of half the angle between two positions';

CREATE OR REPLACE FUNCTION vo.distance(ra1 float8, dec1 float8, ra2 float8, dec2 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT 2 * degrees(asin(sqrt(least(1.0::float8, vo.haversine(ra1, dec1, ra2, dec2))))) $$;
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

CREATE OR REPLACE FUNCTION vo.shape_distance(shape float8[], ra float8, "dec" float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  corners int := array_length(shape, 1) / 2;
  px float8 := cos(radians(dec)) * cos(radians(ra));
  py float8 := cos(radians(dec)) * sin(radians(ra));
  pz float8 := sin(radians(dec));
  a_x float8; a_y float8; a_z float8; b_x float8; b_y float8; b_z float8;  -- an edge from a to u
  nx float8; ny float8; nz float8; length float8;                    -- its normal
  winding float8 := 0;
  nearest float8 := 180;
BEGIN
  IF array_length(shape, 1) = 3 THEN
    RETURN greatest(0, vo.distance(shape[1], shape[2], ra, dec) - shape[3]);
  END IF;
  b_x := cos(radians(shape[2 * corners])) * cos(radians(shape[2 * corners - 1]));
  b_y := cos(radians(shape[2 * corners])) * sin(radians(shape[2 * corners - 1]));
  b_z := sin(radians(shape[2 * corners]));
  FOR i IN 1 .. corners LOOP
    a_x := b_x; a_y := b_y; a_z := b_z;
    b_x := cos(radians(shape[2 * i])) * cos(radians(shape[2 * i - 1]));
    b_y := cos(radians(shape[2 * i])) * sin(radians(shape[2 * i - 1]));
    b_z := sin(radians(shape[2 * i]));
    nx := a_y * b_z - a_z * b_y; ny := a_z * b_x - a_x * b_z; nz := a_x * b_y - a_y * b_x;
    length := sqrt(nx * nx + ny * ny + nz * nz);
    winding := winding + atan2(
      px * nx + py * ny + pz * nz,
      (a_x * b_x + a_y * b_y + a_z * b_z) - (px * a_x + py * a_y + pz * a_z) * (px * b_x + py * b_y + pz * b_z));
    IF length > 0 AND px * (ny * a_z - nz * a_y) + py * (nz * a_x - nx * a_z) + pz * (nx * a_y - ny * a_x) >= 0
       AND px * (b_y * nz - b_z * ny) + py * (b_z * nx - b_x * nz) + pz * (b_x * ny - b_y * nx) >= 0 THEN
      nearest := least(nearest, degrees(abs(asin(greatest(-1, least(1, (px * nx + py * ny + pz * nz) / length))))));
    ELSE
      nearest := least(nearest, 2 * degrees(asin(least(1, sqrt((px - b_x) ^ 2 + (py - b_y) ^ 2 + (pz - b_z) ^ 2) / 2))));
    END IF;
  END LOOP;
  -- seen from a point inside, the edges turn once around it, counter-clockwise
  IF winding > pi() THEN
    RETURN 0;
  END IF;
  RETURN nearest;
END
$$;
COMMENT ON FUNCTION vo.shape_distance IS 'angle from a position to the nearest point of a shape; 0 inside';

CREATE OR REPLACE FUNCTION vo.shape_contains_point(shape float8[], ra float8, "dec" float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN array_length(shape, 1) = 3 THEN vo.haversine(shape[1], shape[2], ra, dec) <= power(sin(radians(least(shape[3], 180)) / 2), 2)
     ELSE vo.shape_distance(shape, ra, dec) <= 1e-10
   END $$;
COMMENT ON FUNCTION vo.shape_contains_point IS 'whether a position lies in a shape or on its edge (within 0.4 microarcseconds)';

CREATE OR REPLACE FUNCTION vo.shape_intersects_circle(shape float8[], ra float8, "dec" float8, radius float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT vo.shape_distance(shape, ra, dec) <= radius $$;
COMMENT ON FUNCTION vo.shape_intersects_circle IS 'whether a shape and a circle have a point in common';

CREATE OR REPLACE FUNCTION vo.shape_inside_circle(shape float8[], ra float8, "dec" float8, radius float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN radius >= 180 THEN shape IS NOT NULL
     WHEN array_length(shape, 1) = 3 THEN vo.distance(shape[1], shape[2], ra, dec) + shape[3] <= radius
     ELSE (SELECT bool_and(vo.distance(shape[i], shape[i + 1], ra, dec) <= radius) FROM generate_series(1, array_length(shape, 1) - 1, 2) AS i)
   END $$;
COMMENT ON FUNCTION vo.shape_inside_circle IS 'whether all of a shape lies in a circle (of at most 90 degrees, if the shape is a polygon)';

CREATE OR REPLACE FUNCTION vo.whole(shape float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN array_position(shape, NULL) IS NULL THEN shape END $$;
COMMENT ON FUNCTION vo.whole IS 'a shape, or NULL if one of its numbers is NULL';

CREATE OR REPLACE FUNCTION vo.shapes_intersect(one float8[], other float8[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$$
DECLARE
  m int := array_length(one, 1) / 2;
  n int := array_length(other, 1) / 2;
  p float8[] := '{}';                    -- unit vectors of the vertices of one
  q float8[] := '{}';                    -- and of the other
  ax float8; ay float8; az float8; ux float8; uy float8; uz float8; abx float8; aby float8; abz float8;
  cx float8; cy float8; cz float8; dx float8; dy float8; dz float8; cdx float8; cdy float8; cdz float8;
  acb float8; bda float8;
BEGIN
  IF array_length(one, 1) = 3 THEN
    RETURN vo.shape_distance(other, one[1], one[2]) <= one[3];
  ELSIF array_length(other, 1) = 3 THEN
    RETURN vo.shape_distance(one, other[1], other[2]) <= other[3];
  END IF;
  FOR i IN 1 .. m LOOP
    IF vo.shape_contains_point(other, one[2 * i - 1], one[2 * i]) THEN RETURN true; END IF;
    p := p || ARRAY[cos(radians(one[2 * i])) * cos(radians(one[2 * i - 1])), cos(radians(one[2 * i])) * sin(radians(one[2 * i - 1])), sin(radians(one[2 * i]))];
  END LOOP;
  FOR i IN 1 .. n LOOP
    IF vo.shape_contains_point(one, other[2 * i - 1], other[2 * i]) THEN RETURN true; END IF;
    q := q || ARRAY[cos(radians(other[2 * i])) * cos(radians(other[2 * i - 1])), cos(radians(other[2 * i])) * sin(radians(other[2 * i - 1])), sin(radians(other[2 * i]))];
  END LOOP;
  -- no vertex inside: the edges cross, or there is nothing in common
  FOR i IN 0 .. m - 1 LOOP
    ax := p[3 * i + 1]; ay := p[3 * i + 2]; az := p[3 * i + 3];
    ux := p[3 * ((i + 1) % m) + 1]; uy := p[3 * ((i + 1) % m) + 2]; uz := p[3 * ((i + 1) % m) + 3];
    abx := ay * uz - az * uy; aby := az * ux - ax * uz; abz := ax * uy - ay * ux;
    FOR j IN 0 .. n - 1 LOOP
      cx := q[3 * j + 1]; cy := q[3 * j + 2]; cz := q[3 * j + 3];
      dx := q[3 * ((j + 1) % n) + 1]; dy := q[3 * ((j + 1) % n) + 2]; dz := q[3 * ((j + 1) % n) + 3];
      acb := -(abx * cx + aby * cy + abz * cz);
      bda := abx * dx + aby * dy + abz * dz;
      IF acb * bda > 0 THEN
        cdx := cy * dz - cz * dy; cdy := cz * dx - cx * dz; cdz := cx * dy - cy * dx;
        IF acb * -(cdx * ux + cdy * uy + cdz * uz) > 0 AND acb * (cdx * ax + cdy * ay + cdz * az) > 0 THEN RETURN true; END IF;
      END IF;
    END LOOP;
  END LOOP;
  RETURN false;
END
$$;
COMMENT ON FUNCTION vo.shapes_intersect IS 'whether two shapes have a point in common';
