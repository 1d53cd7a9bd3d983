"""The columns of the files in GBIF's and iDigBio's downloads, in their order: terms of public vocabularies."""

from __future__ import annotations

DWC, DC, GBIF = "http://rs.tdwg.org/dwc/terms/", "http://purl.org/dc/terms/", "http://rs.gbif.org/terms/1.0/"
AC, XMP, IDB = "http://rs.tdwg.org/ac/terms/", "http://ns.adobe.com/xap/1.0/rights/", "http://portal.idigbio.org/terms/"


def _named(space: str, names: str) -> tuple[str, ...]:
    return tuple(space + name for name in names.split())


# a download of 2020; today's has a few more, as empty as most of these are
GBIF_CORE: tuple[str, ...] = (
    GBIF + "gbifID",
    *_named(DC, """
        abstract accessRights accrualMethod accrualPeriodicity accrualPolicy alternative audience available
        bibliographicCitation conformsTo contributor coverage created creator date dateAccepted
        dateCopyrighted dateSubmitted description educationLevel extent format hasFormat hasPart hasVersion
        identifier instructionalMethod isFormatOf isPartOf isReferencedBy isReplacedBy isRequiredBy
        isVersionOf issued language license mediator medium modified provenance publisher references
        relation replaces requires rights rightsHolder source spatial subject tableOfContents temporal title
        type valid"""),
    *_named(DWC, """
        institutionID collectionID datasetID institutionCode collectionCode datasetName ownerInstitutionCode
        basisOfRecord informationWithheld dataGeneralizations dynamicProperties occurrenceID catalogNumber
        recordNumber recordedBy individualCount organismQuantity organismQuantityType sex lifeStage
        reproductiveCondition behavior establishmentMeans occurrenceStatus preparations disposition
        associatedReferences associatedSequences associatedTaxa otherCatalogNumbers occurrenceRemarks
        organismID organismName organismScope associatedOccurrences associatedOrganisms
        previousIdentifications organismRemarks materialSampleID eventID parentEventID fieldNumber eventDate
        eventTime startDayOfYear endDayOfYear year month day verbatimEventDate habitat samplingProtocol
        samplingEffort sampleSizeValue sampleSizeUnit fieldNotes eventRemarks locationID higherGeographyID
        higherGeography continent waterBody islandGroup island countryCode stateProvince county municipality
        locality verbatimLocality verbatimElevation verbatimDepth minimumDistanceAboveSurfaceInMeters
        maximumDistanceAboveSurfaceInMeters locationAccordingTo locationRemarks decimalLatitude
        decimalLongitude coordinateUncertaintyInMeters coordinatePrecision pointRadiusSpatialFit
        verbatimCoordinateSystem verbatimSRS footprintWKT footprintSRS footprintSpatialFit georeferencedBy
        georeferencedDate georeferenceProtocol georeferenceSources georeferenceVerificationStatus
        georeferenceRemarks geologicalContextID earliestEonOrLowestEonothem latestEonOrHighestEonothem
        earliestEraOrLowestErathem latestEraOrHighestErathem earliestPeriodOrLowestSystem
        latestPeriodOrHighestSystem earliestEpochOrLowestSeries latestEpochOrHighestSeries
        earliestAgeOrLowestStage latestAgeOrHighestStage lowestBiostratigraphicZone
        highestBiostratigraphicZone lithostratigraphicTerms group formation member bed identificationID
        identificationQualifier typeStatus identifiedBy dateIdentified identificationReferences
        identificationVerificationStatus identificationRemarks taxonID scientificNameID acceptedNameUsageID
        parentNameUsageID originalNameUsageID nameAccordingToID namePublishedInID taxonConceptID
        scientificName acceptedNameUsage parentNameUsage originalNameUsage nameAccordingTo namePublishedIn
        namePublishedInYear higherClassification kingdom phylum class order family genus subgenus
        specificEpithet infraspecificEpithet taxonRank verbatimTaxonRank vernacularName nomenclaturalCode
        taxonomicStatus nomenclaturalStatus taxonRemarks"""),
    *_named(GBIF, """
        datasetKey publishingCountry lastInterpreted elevation elevationAccuracy depth depthAccuracy
        distanceAboveSurface distanceAboveSurfaceAccuracy hasCoordinate hasGeospatialIssues taxonKey
        acceptedTaxonKey kingdomKey phylumKey classKey orderKey familyKey genusKey subgenusKey speciesKey
        species genericName acceptedScientificName verbatimScientificName typifiedName protocol lastParsed
        lastCrawled repatriated relativeOrganismQuantity"""),
)  # fmt: skip
GBIF_MEDIA: tuple[str, ...] = _named(DC, """
    type format identifier references title description source audience created creator contributor publisher license
    rightsHolder""")
IDIGBIO_CORE: tuple[str, ...] = (
    IDB + "uuid", *_named(DWC, """
        institutionCode collectionCode catalogNumber occurrenceID recordNumber recordedBy eventDate country countryCode
        stateProvince county locality habitat occurrenceRemarks decimalLatitude decimalLongitude basisOfRecord
        preparations scientificName scientificNameAuthorship family genus specificEpithet identificationQualifier
        identifiedBy typeStatus"""),
    IDB + "recordset", DC + "license", DC + "rightsHolder", DC + "modified",
)
IDIGBIO_MEDIA: tuple[str, ...] = (
    AC + "accessURI", *_named(DC, "type format rights creator"), *_named(XMP, "UsageTerms WebStatement Owner"),
)
